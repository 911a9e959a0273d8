"""A run by exec that loses its starter, its engine, or both: it is adopted where it goes on, and its outcome file decides."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import BUILD, IMAGE, docker, wait_for  # noqa: E402
from check import Checks  # noqa: E402
from engine import OwnEngine  # noqa: E402

checks = Checks("execs")
PROBE = str(BUILD / "tests/exec_probe")
LAUNCHER = str(BUILD / "campaignctl-launch")


class Run:
    """A container that is held, and one attempt in it."""

    def __init__(self, host, script):
        self.host, self.script = host, script
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cctl-exec-"))
        self.out = self.folder / "x.c01.a1"
        self.out.mkdir()
        self.container = docker(
            "run", "-d", "--network", "none", "-v", f"{LAUNCHER}:/campaign/launch:ro", "-v", f"{self.folder}:/campaign/runs",
            "--entrypoint", "/campaign/launch", IMAGE, "--hold", host=host).strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def probe(self, what):
        return subprocess.Popen(
            [PROBE, what, self.container, self.out.name, f"/campaign/runs/{self.out.name}", str(self.out), self.script],
            stdout=subprocess.PIPE, text=True, env=dict(os.environ, DOCKER_HOST=self.host))

    def start(self):
        process = self.probe("start")
        said = process.stdout.readline().strip()
        assert said == "started", said
        wait_for("the payload", (self.out / "up").exists)
        return process

    def adopt(self):
        said, _ = self.probe("adopt").communicate(timeout=60)
        return said.splitlines()


@contextlib.contextmanager
def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    yield


UNTIL_GO = "touch /campaign/runs/x.c01.a1/up; while [ ! -e /campaign/runs/go ]; do sleep 0.01; done; exit 7"


@checks.statement
def starter_killed():
    with OwnEngine() as engine, Run(engine.host, UNTIL_GO) as run:
        with killed(run.start()):
            process = run.probe("adopt")
            assert process.stdout.readline().strip() == "adopted"
            (run.folder / "go").touch()
            assert process.communicate(timeout=60)[0].startswith("ended outcome"), run.script


@checks.statement
def engine_killed_and_the_payload_ends_meanwhile():
    with OwnEngine() as engine, Run(engine.host, UNTIL_GO) as run:
        starter = run.start()
        os.kill(engine.process.pid, signal.SIGKILL)
        engine.process.wait()
        (run.folder / "go").touch()
        wait_for("the outcome", (run.out / "outcome.json").exists)
        with killed(starter):
            engine.stop(signal.SIGKILL)
            engine.start()
            said = run.adopt()
        assert said[-1].startswith("ended outcome"), said
        assert '"exit_code":7' in (run.out / "outcome.json").read_text()


@checks.statement
def both_killed_and_the_payload_with_them():
    with OwnEngine() as engine, Run(engine.host, UNTIL_GO) as run:
        with killed(run.start()):
            engine.stop(signal.SIGKILL)
            engine.kill_what_is_left()
            engine.start()
            said = run.adopt()
        assert said[-1].startswith("lost"), said


checks.main()
