"""A dockerd of our own that tests may stop and kill: own network namespace, data root, exec root and socket."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from campaign import IMAGE, docker, wait_for
from check import Skip


def why_not():
    """Why no engine of our own can be had, "" when it can."""
    if os.geteuid() != 0:
        return "needs root, to start an engine that may be stopped"
    missing = [tool for tool in ("dockerd", "docker", "unshare", "ip") if not shutil.which(tool)]
    return f"needs {', '.join(missing)}" if missing else ""


class OwnEngine:
    """Use as a context manager. `host` is what DOCKER_HOST takes; the probe image is on it.

    `programs` is a folder in front of its PATH (another dockerd, hooks of vendors), `options` more flags of dockerd."""

    def __init__(self, programs=None, options=()):
        self.programs = programs
        self.options = list(options)

    def __enter__(self):
        reason = why_not()
        if reason:
            raise Skip(reason)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cctl-engine-"))
        self.host = f"unix://{self.folder}/docker.sock"
        self.process = None
        try:
            self.start()
            archive = self.folder / "image.tar"
            docker("save", "-o", archive, IMAGE)
            docker("load", "-i", archive, host=self.host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        options = ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        places = [f"--{key}={self.folder}/{value}" for key, value in
                  {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}.items()]
        command = ["dockerd", "-H", self.host, *places, *options, *self.options]
        path = os.environ["PATH"]
        environment = dict(os.environ, PATH=f"{self.programs}:{path}" if self.programs else path)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "engine", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment,
            )
        wait_for("an engine of our own", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("dockerd ended:\n" + (self.folder / "log").read_text()[-2000:])
        return docker("version", host=self.host, check=False).count("Version:") >= 2

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(120)
        containerd = self.folder / "exec/containerd/containerd.pid"
        with contextlib.suppress(OSError, ValueError):  # it may outlive a dockerd that was killed
            os.kill(int(containerd.read_text()), signal.SIGKILL)
        for pid in (self.folder / "pid", containerd):
            pid.unlink(missing_ok=True)

    def kill_what_is_left(self):
        """Shims outlive the engine that was killed; our folder is in their command lines and in no other."""
        shims = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in (process / "cmdline").read_bytes():
                    shims.append(int(process.name))
        for shim in shims:
            for children in pathlib.Path(f"/proc/{shim}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    for child in children.read_text().split():
                        os.kill(int(child), signal.SIGKILL)
        for shim in shims:
            with contextlib.suppress(OSError):
                os.kill(shim, signal.SIGKILL)

    def __exit__(self, *_):
        left = docker("ps", "-aq", host=self.host, check=False).split()
        if left:
            docker("rm", "-f", *left, host=self.host, check=False)
        self.stop()
        self.kill_what_is_left()
        mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
