"""`campaignctl compose exec` at a terminal: what is typed reaches the command, its size follows, it is given back."""

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import IMAGE, PATIENCE, PROGRAM, docker, wait_for  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("compose_terminal")


class Project:
    def __init__(self, name):
        self.folder = tempfile.TemporaryDirectory(prefix="campaignctl-terminal-")
        self.file = pathlib.Path(self.folder.name) / "compose.yaml"
        self.file.write_text(f"services: {{web: {{image: '{IMAGE}', command: [sleep, '1000'], stop_signal: SIGKILL}}}}\n")
        self.name = f"cctl-tty-{os.getpid()}-{name}"

    def command(self, *words):
        return [PROGRAM, "-q", "compose", "-f", str(self.file), "-p", self.name, *words]

    def __enter__(self):
        subprocess.run(self.command("up"), check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        subprocess.run(self.command("down", "-v"), check=False, timeout=PATIENCE, stdout=subprocess.DEVNULL)
        self.folder.cleanup()


class Terminal:
    """A program whose standard streams are a terminal of 24 x 80, and whoever sits before it."""

    def __init__(self, command):
        self.ours, self.its = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(self.its)
        self.text = ""
        self.process = subprocess.Popen(command, stdin=self.its, stdout=self.its, stderr=self.its, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.ours, text.encode())

    def read(self):
        while select.select([self.ours], [], [], 0)[0]:
            self.text += os.read(self.ours, 65536).decode(errors="replace")
        return self.text

    def until(self, pattern):
        return wait_for(pattern, lambda: re.search(pattern, self.read()))

    def is_raw(self):
        return not termios.tcgetattr(self.its)[3] & (termios.ICANON | termios.ECHO)

    def ended(self):
        """The exit code; the terminal must be as it was."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self.read()
            time.sleep(0.01)
        self.read()
        assert termios.tcgetattr(self.its) == self.before, "the terminal is not as it was"
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.its)


@checks.statement
def keys_reach_the_command_and_its_code_comes_back():
    with Project("keys") as project, Terminal(project.command("exec", "web", "sh")) as terminal:
        wait_for("a raw terminal", terminal.is_raw)
        terminal.type("test -t 0 && test -t 1 && echo at-a-$((1+1))-terminal\n")
        terminal.until("at-a-2-terminal")
        terminal.type("sleep 999\n")
        wait_for("the command", lambda: "sleep 999" in docker("top", f"{project.name}-web-1", "-o", "pid,args"))
        terminal.type("\x03")  # is the command's: ours goes on
        terminal.type("echo still-$((1+2))-there; exit 7\n")
        terminal.until("still-3-there")
        assert terminal.ended() == 7


@checks.statement
def the_size_follows():
    with Project("size") as project, Terminal(project.command("exec", "web", "sh")) as terminal:
        wait_for("a raw terminal", terminal.is_raw)

        def size_is(size):
            terminal.type("stty size\n")
            time.sleep(0.1)
            return size in terminal.read()

        wait_for("the first size", lambda: size_is("24 80"))
        terminal.resize(33, 101)
        wait_for("the second size", lambda: size_is("33 101"))
        terminal.type("exit\n")
        assert terminal.ended() == 0


@checks.statement
def a_signal_gives_the_terminal_back():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Project(f"signal{number}") as project, Terminal(project.command("exec", "web", "sh")) as terminal:
            wait_for("a raw terminal", terminal.is_raw)
            terminal.process.send_signal(number)
            assert terminal.ended() == 128 + number


@checks.statement
def the_end_of_the_container_gives_the_terminal_back():
    with Project("death") as project, Terminal(project.command("exec", "web", "sh")) as terminal:
        wait_for("a raw terminal", terminal.is_raw)
        docker("kill", f"{project.name}-web-1")
        assert terminal.ended() != 0


@checks.statement
def without_a_tty_on_request():
    with Project("without") as project, Terminal(project.command("exec", "-T", "web", "sh", "-c", "test -t 1 || read l; echo $l")) as terminal:
        terminal.type("typed\n")
        terminal.until("typed\r\ntyped\r\n")
        assert terminal.ended() == 0


need_engine(checks.prefix)
checks.main()
