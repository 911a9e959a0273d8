"""GPUs into containers of real engines: what each makes of a request, and what our routes make of each engine."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
import vendor  # noqa: E402
from campaign import BUILD, IMAGE, ROOT, docker  # noqa: E402
from check import Checks, Skip, need_engine  # noqa: E402
from engine import OwnEngine  # noqa: E402

checks = Checks("gpu_route")
PROBE, LAUNCHER = str(BUILD / "tests/gpu_probe"), str(BUILD / "campaignctl-launch")
SHOW = "echo visible=$NVIDIA_VISIBLE_DEVICES cuda=$CUDA_VISIBLE_DEVICES; ls /dev | grep -E '^nvidia[0-9]|^kfd' || true"
A, B, MIG = "nvidia/0/0/GPU-a", "nvidia/1/1/GPU-b", "nvidia/1:0/1/MIG-b0"
NVIDIA = {"Driver": "nvidia", "Capabilities": [["gpu"]]}


def newer_dockerd(folder):
    """Puts a link to a dockerd that knows CDI there."""
    script = 'set -euo pipefail; ROOT=$1; source "$ROOT/tests/support/newer_engine.sh"; newer_engine'
    done = subprocess.run(["bash", "-c", script, "bash", str(ROOT)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no newer dockerd")
    (folder / "dockerd").symlink_to(pathlib.Path(done.stdout.strip()) / "dockerd")


class Engines:
    """Each is started by the first statement that needs it, and lives until the last has ended."""

    def __init__(self, stack):
        self.stack = stack
        self.lock = threading.Lock()
        self.made = {}

    def get(self, name):
        with self.lock:
            if name not in self.made:
                self.made[name] = self.start(name)
            made = self.made[name]
        if isinstance(made, Skip):
            raise made
        return made

    def start(self, name):
        folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="cctl-gpu-")))
        try:
            if name == "hook":
                vendor.hook(folder)
                options = []
            elif name == "runtime":
                options = [f"--config-file={vendor.runtime(folder)}"]
            else:
                newer_dockerd(folder)
                options = [f"--cdi-spec-dir={vendor.cdi(folder)}"]
            engine = self.stack.enter_context(OwnEngine(folder, options))
        except Skip as reason:
            return reason
        return engine


# The engine's own words.


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def call(engine, method, path, body=None):
    connection = UnixConnection(engine.host.removeprefix("unix://"))
    headers = {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text.startswith("{") else text


def asked(engine, *requests, env=(), runtime=None):
    """What a container with these DeviceRequests shows; "500 WORDS" where it could not be started."""
    host = {"DeviceRequests": list(requests), "NetworkMode": "none", **({"Runtime": runtime} if runtime else {})}
    body = {"Image": IMAGE, "Cmd": ["sh", "-c", SHOW], "Env": list(env), "HostConfig": host}
    status, made = call(engine, "POST", "/containers/create", body)
    if status != 201:
        return f"{status} {made['message']}"
    try:
        status, said = call(engine, "POST", f"/containers/{made['Id']}/start")
        if status != 204:
            return f"{status} {said['message']}"
        docker("wait", made["Id"], host=engine.host)
        return " ".join(docker("logs", made["Id"], host=engine.host).split())
    finally:
        docker("rm", "-f", made["Id"], host=engine.host, check=False)


def row(name, engine, wanted, *requests, **options):
    def statement():
        said = asked(engines.get(engine), *requests, **options)
        assert wanted in said, f"{said!r} has no {wanted!r}"

    checks.add(name, statement)


NO_DRIVER = 'could not select device driver "nvidia" with capabilities: [[gpu]]'
row("hook_all_is_all", "hook", "visible=all cuda= nvidia0 nvidia1", {**NVIDIA, "Count": -1})
row("hook_takes_uuids", "hook", "visible=GPU-b cuda= nvidia1", {**NVIDIA, "DeviceIDs": ["GPU-b"]})
row("hook_a_count_is_always_the_first_ones", "hook", "visible=0 cuda= nvidia0", {**NVIDIA, "Count": 1})
row("hook_needs_no_driver_name", "hook", "visible=GPU-a", {**NVIDIA, "Driver": "", "DeviceIDs": ["GPU-a"]})
row("hook_needs_capabilities", "hook", "500 ", {"Driver": "nvidia", "DeviceIDs": ["GPU-a"]})
row("hook_refuses_unknown_capabilities", "hook", "500 ",
    {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu", "flying"]]})
row("hook_refuses_count_with_ids", "hook", "cannot set both Count and DeviceIDs",
    {**NVIDIA, "Count": 1, "DeviceIDs": ["GPU-a"]})
row("hook_takes_the_last_of_two_requests", "hook", "visible=GPU-b cuda= nvidia1",
    {**NVIDIA, "DeviceIDs": ["GPU-a"]}, {**NVIDIA, "DeviceIDs": ["GPU-b"]})
row("hook_request_wins_over_the_variable", "hook", "visible=GPU-a cuda= nvidia0",
    {**NVIDIA, "DeviceIDs": ["GPU-a"]}, env=["NVIDIA_VISIBLE_DEVICES=GPU-b"])
row("hook_knows_no_cdi", "hook", 'could not select device driver "cdi"',
    {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]})
row("hook_failures_come_with_its_words", "hook", "GPU-broken: unknown device", {**NVIDIA, "DeviceIDs": ["GPU-broken"]})
row("hook_is_no_runtime", "hook", "Unknown runtime specified nvidia", runtime="nvidia")
row("runtime_goes_by_the_variable", "runtime", "visible=GPU-b cuda= nvidia1", runtime="nvidia",
    env=["NVIDIA_VISIBLE_DEVICES=GPU-b"])
row("runtime_has_no_driver", "runtime", NO_DRIVER, {**NVIDIA, "DeviceIDs": ["GPU-a"]})
row("cdi_takes_names", "cdi", "nvidia1", {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-b"]})
row("cdi_variable_of_the_specification_wins", "cdi", "visible=void",
    {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}, env=["NVIDIA_VISIBLE_DEVICES=7"])
row("cdi_refuses_a_count", "cdi", "500 ", {"Driver": "cdi", "Count": 1, "DeviceIDs": ["nvidia.com/gpu=0"]})
row("cdi_refuses_unknown_names", "cdi", "unresolvable CDI devices nvidia.com/gpu=9",
    {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=9"]})
row("cdi_alone_has_no_driver", "cdi", NO_DRIVER, {**NVIDIA, "DeviceIDs": ["GPU-a"]})


# Our routes.


class Probed:
    """A container as a run has it: what the route was, how it ended, what it showed and what the launcher saw."""

    def __init__(self, engine, *devices, node=None):
        with tempfile.TemporaryDirectory(prefix="cctl-probe-") as out:
            environment = dict(os.environ, DOCKER_HOST=engine.host, **({"GPU_PROBE_NODE": node} if node else {}))
            done = subprocess.run([PROBE, LAUNCHER, out, SHOW, *devices], env=environment, capture_output=True,
                                  text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            said = json.loads(done.stdout)
            files = {p.name: p.read_text() for p in pathlib.Path(out).iterdir()}
        self.route, self.error, self.start_failed = said["route"], said["error"], said["start_failed"]
        self.exit_code = said["exit_code"]
        self.shown = " ".join(files.get("stdout.log", "").split())
        self.seen = json.loads(files.get("devices.json", "null"))

    def assert_has(self, mechanism, *names):
        assert self.route.startswith(mechanism), self.route
        assert self.exit_code == 0 and not self.seen["mismatch"], (self.error, self.seen)
        assert [gpu["file"] for gpu in self.seen["seen"]] == [f"/dev/{n}" for n in names], self.seen
        assert self.shown.split()[2:] == list(names), self.shown


@checks.statement
def by_requests_exactly_the_leased_ones():
    engine = engines.get("hook")
    Probed(engine, B).assert_has("DeviceRequests, GPU-b", "nvidia1")
    Probed(engine, A, B).assert_has("DeviceRequests, GPU-a,GPU-b", "nvidia0", "nvidia1")
    Probed(engine, MIG).assert_has("DeviceRequests, MIG-b0", "nvidia1")


@checks.statement
def by_the_runtime_exactly_the_leased_ones():
    Probed(engines.get("runtime"), B).assert_has("runtime nvidia, GPU-b", "nvidia1")


@checks.statement
def by_cdi_exactly_the_leased_ones():
    engine = engines.get("cdi")
    probed = Probed(engine, B)
    probed.assert_has("CDI, nvidia.com/gpu=GPU-b: the engine lists these devices", "nvidia1")
    assert "visible=void" in probed.shown, probed.shown
    Probed(engine, A, B).assert_has("CDI, nvidia.com/gpu=GPU-a,nvidia.com/gpu=GPU-b", "nvidia0", "nvidia1")


@checks.statement
def a_cpu_run_gets_none_of_any_engine():
    for name in ("hook", "runtime"):
        probed = Probed(engines.get(name))
        assert probed.route.startswith("no GPUs") and probed.exit_code == 0, (probed.route, probed.error)
        assert probed.shown == "visible=void cuda=", probed.shown


@checks.statement
def two_at_a_time_share_nothing():
    engine, made = engines.get("hook"), {}
    threads = [threading.Thread(target=lambda d=d: made.update({d: Probed(engine, d)})) for d in (A, B)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made[A].assert_has("DeviceRequests", "nvidia0")
    made[B].assert_has("DeviceRequests", "nvidia1")


@checks.statement
def another_device_than_the_leased_one_is_refused():
    # The engine calls GPU-a what the lease knows as /dev/nvidia1.
    probed = Probed(engines.get("hook"), "nvidia/0/1/GPU-a")
    assert probed.exit_code == 72 and not probed.shown, (probed.exit_code, probed.shown)
    assert "expected GPU-a (/dev/nvidia1); seen /dev/nvidia0" in probed.seen["mismatch"], probed.seen


@checks.statement
def a_device_that_the_hook_cannot_give_is_no_start():
    probed = Probed(engines.get("hook"), "nvidia/2/2/GPU-broken")
    assert probed.start_failed and "GPU-broken: unknown device" in probed.error, probed.error


@checks.statement
def amds_device_files_come_in():
    probed = Probed(engines.get("hook"), "amd/0/1/GPU-f00d", node="/dev/null")
    assert probed.route.startswith("device files, /dev/kfd,/dev/dri/renderD129"), probed.route
    assert probed.exit_code == 0 and not probed.seen["mismatch"], (probed.error, probed.seen)
    assert [gpu["file"] for gpu in probed.seen["seen"]] == ["/dev/dri/renderD129"], probed.seen
    assert "visible=void" in probed.shown and "kfd" in probed.shown, probed.shown


@checks.statement
def amds_device_files_that_are_missing_are_no_start():
    probed = Probed(engines.get("hook"), "amd/0/99/GPU-f00d")
    assert probed.start_failed and "load the driver" in probed.error, probed.error


need_engine(checks.prefix)
with contextlib.ExitStack() as stack:
    engines = Engines(stack)
    checks.main()
