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
from campaign import BUILD, IMAGE, ROOT, docker, merged  # noqa: E402
from check import Checks, Skip, need_engine  # noqa: E402
from composed import Composed  # noqa: E402
from engine import OwnEngine  # noqa: E402
from gpu import GpuCampaign, device, local, overlapping, uuid  # noqa: E402

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


NO_DRIVER = 'could not select device driver "nvidia" with capabilities: [[gpu'
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


# Campaigns.

INSIDE = ('{ echo "cuda=$CUDA_VISIBLE_DEVICES nvidia=$NVIDIA_VISIBLE_DEVICES gpus=$GPUS"; '
          'ls /dev | grep -E "^nvidia[0-9]" || true; } > "$CAMPAIGN_RESULTS_DIR/inside"')
SMALL = {"axes": {"size": [1]}, "gpus": "all", "runner": {"gpus": 1, "env": {"GPUS": "{gpus}"}},
         "execution": {"cycles": 1, "retries": {"infra": 0}}}


def campaign(name, changes=None, task=INSIDE, script=None, **options):
    script = script or device(0, minor=0) + device(1, minor=1)
    made = GpuCampaign(SMALL, script=script, task=task, host=engines.get(name).host, **options)
    made.write(changes)
    return made


def inside(one):
    """What each run saw: its variables and device files."""
    return {p.parent.name: p.read_text().split() for p in one.results().glob("raw/*/inside")}


@checks.statement
def two_workers_never_share_a_device_inside_their_containers():
    changes = {"axes": {"size": [1, 2, 3, 4]}, "execution": {"workers": 2}}
    with campaign("hook", changes, task=f"{INSIDE}; sleep 0.5") as one:
        one.up()
        one.assert_complete()
        records = one.run_records()
        assert overlapping(records), "no two runs were under way at once"
        for record in records:
            leased = record["gpus"][0]
            wanted = ["cuda=0", f"nvidia={leased}", f"gpus={leased}", f"nvidia{leased.rsplit('-', 1)[1]}"]
            assert inside(one)[record["run"]] == wanted, (record["run"], leased, inside(one))
        for first, second in overlapping(records):
            assert inside(one)[first["run"]][3] != inside(one)[second["run"]][3]


def gets_its_device(engine, said, variable):
    with campaign(engine, {"runner": {"gpus": {"ids": [1]}}}) as one:
        text = one.up()
        assert said in text, text
        assert inside(one) == {"s1.c01": ["cuda=0", f"nvidia={variable()}", f"gpus={uuid(1)}", "nvidia1"]}, inside(one)


checks.add("a_campaign_by_requests", lambda: gets_its_device("hook", "DeviceRequests, ", lambda: uuid(1)))
checks.add("a_campaign_by_the_runtime", lambda: gets_its_device("runtime", "runtime nvidia, ", lambda: uuid(1)))
checks.add("a_campaign_by_cdi", lambda: gets_its_device("cdi", "CDI, nvidia.com/gpu=1", lambda: "void"))


@checks.statement
def without_gpus_a_run_sees_none():
    with campaign("hook", {"runner": {"gpus": "none", "env": {"NVIDIA_VISIBLE_DEVICES": "all"}}}) as one:
        one.up()
        assert inside(one) == {"s1.c01": ["cuda=", "nvidia=void", "gpus="]}, inside(one)


@checks.statement
def execs_go_by_uuid_in_a_container_of_their_workers_device():
    changes = {"axes": {"size": [1, 2]}, "runner": {"strategy": "persistent", "gpus": {"ids": [1]}}}
    with campaign("hook", changes) as one:
        one.up()
        one.assert_complete()
        for seen in inside(one).values():
            assert seen[0] == f"cuda={uuid(1)}" and seen[2:] == [f"gpus={uuid(1)}", "nvidia1"], seen
        assert sorted(r["container_run"] for r in one.run_records()) == [1, 2], "another container was made"


@checks.statement
def a_held_container_is_made_anew_when_its_workers_device_changes():
    changes = {"runner": {"strategy": "persistent"}, "execution": {"cycles": 2, "placement": "rotate"}}
    with campaign("hook", changes) as one:
        one.up()
        one.assert_complete()
        records = one.run_records()
        assert [r["gpus"][0] for r in records] == [uuid(0), uuid(1)], [r["gpus"] for r in records]
        for record in records:
            assert inside(one)[record["run"]][3:] == [f"nvidia{record['gpus'][0].rsplit('-', 1)[1]}"], inside(one)
            assert record["container_run"] == 1, record["container_run"]


@checks.statement
def a_held_container_that_leaves_its_device_full_is_made_anew():
    changes = {"runner": {"strategy": "persistent", "gpus": {"ids": [0]}}, "execution": {"cycles": 2}}
    waits = f"{INSIDE}; until [ -e /witness/go ]; do sleep 0.05; done"
    with campaign("hook", changes, task=waits) as one:
        process = one.start_up()
        one.until_payload()
        pid = docker("inspect", "-f", "{{.State.Pid}}", one.containers()[0], host=one.host).strip()
        full = device(0, minor=0, used=84 * 10**9) + f"process 0 pid={pid} memory=83000000000\n"
        one.script.write_text(full + device(1, minor=1))
        (one.folder / "witness/go").write_text("")
        assert one.ended(process) == 0, one.said()
        assert "leaves GPU 0 with 97 % of its memory in use (health_check.gpu_memory_threshold_pct: 90)" in one.said()
        assert [r["container_run"] for r in one.run_records()] == [1, 1], one.run_records()


def servers_beside_the_second_run(workers):
    """Which server each of two equal runs on one device has, and how many are up while the second is under way."""
    server = {"command": ["sh", "-c", "echo up; exec sleep 600"], "ready": {"log": "^up"}, "reuse": "while_same"}
    changes = {"runner": {"network": None, "server": server},
               "execution": {"cycles": 2, "workers": workers, "placement": "same"}}
    waits = 'until [ "$CAMPAIGN_CYCLE" = 1 ] || [ -e /witness/go ]; do sleep 0.05; done'
    with campaign("hook", changes, task=waits) as one:
        process = one.start_up()
        one.until_payload(2)
        up = docker("ps", "-q", "--filter", "label=campaignctl.server", "--filter",
                    f"label=campaignctl.uid={one.uids()[0]}", host=one.host).split()
        (one.folder / "witness/go").write_text("")
        assert one.ended(process) == 0, one.said()
        return [event["server"] for event in one.events("starting")], len(up)


@checks.statement
def a_server_is_kept_with_its_device_where_no_other_worker_may_wait_for_it():
    (first, second), up = servers_beside_the_second_run(1)
    assert first == second and up == 1, (first, second, up)
    (first, second), up = servers_beside_the_second_run(2)
    assert first != second and up == 1, (first, second, up)


@checks.statement
def a_new_session_takes_the_device_that_the_abandoned_one_left_in_use():
    with campaign("hook", {"gpus": "auto"}, task=f"{INSIDE}; sleep 600", script=device(0, minor=0)) as one:
        process = one.start_up()
        one.until_payload()
        one.signal(process)
        one.payload(INSIDE)
        one.up("--new")
        assert inside(one)["s1.c01"][0] == "cuda=0"


@checks.statement
def an_image_made_for_gpus_wants_a_word():
    host, image = engines.get("hook").host, "campaignctl/made-for-gpus:1"
    made = docker("create", IMAGE, host=host).strip()
    docker("commit", "--change", "ENV CUDA_VERSION=12.4", made, image, host=host)
    docker("rm", made, host=host)
    server = {"network": None, "server": {"image": image, "command": ["sleep", "600"]}}
    try:
        for runner in ({"image": image}, server):
            with campaign("hook", {"runner": {"gpus": None, **runner}}) as one:
                text = one.up(expect=2)
                assert f"image {image} is made for GPUs" in text and "`gpus: none`" in text, text
                assert not one.uids(), "a session was begun"
    finally:
        docker("rmi", image, host=host)


@checks.statement
def a_server_holds_the_device_and_its_client_none():
    show = "ls /dev | grep -E '^nvidia[0-9]'; echo cuda=$CUDA_VISIBLE_DEVICES; exec sleep 600"
    server = {"command": ["sh", "-c", show], "ready": {"log": "^cuda="}}
    with campaign("hook", {"runner": {"network": None, "server": server}}) as one:
        one.up()
        said = (one.results() / "raw/s1.c01/server.stdout.log").read_text().split()
        assert said == [f"nvidia{one.run_records()[0]['gpus'][0].rsplit('-', 1)[1]}", "cuda=0"], said
        assert inside(one)["s1.c01"][:2] == ["cuda=", "nvidia=void"], inside(one)
        assert len(inside(one)["s1.c01"]) == 3, inside(one)


@checks.statement
def a_run_whose_devices_are_not_the_leased_ones_never_starts():
    for strategy in ("ephemeral", "persistent"):
        swapped = device(0, minor=1) + device(1, minor=0)
        with campaign("hook", {"runner": {"gpus": {"ids": [0]}, "strategy": strategy}}, script=swapped) as one:
            one.up(expect=1)
            failed = one.events("failed")[0]
            assert failed["class"] == "infra", failed
            assert f"expected {uuid(0)} (/dev/nvidia1); seen /dev/nvidia0" in failed["message"], failed
            assert not one.witness(), "the payload was started"


@checks.statement
def an_engine_without_a_driver_says_what_to_do():
    three = "".join(device(number, minor=number) for number in range(3))
    with campaign("cdi", {"runner": {"gpus": {"ids": [2]}}}, script=three) as one:
        one.up(expect=1)
        failed = one.events("failed")[0]
        assert failed["class"] == "infra" and NO_DRIVER in failed["message"], failed
        assert "install the NVIDIA container toolkit" in failed["message"], failed


class ComposedGpus(GpuCampaign, Composed):
    """A service that asks for GPUs, all unless said otherwise, and depends on nothing."""

    def __init__(self, gpus, asks=None):
        reserved = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
        work = {"depends_on": None, "network_mode": "none", "environment": {"GPUS": ""},
                "volumes": ["./payload:/payload:ro", "./witness:/witness"],
                **(asks or {"deploy": {"resources": {"reservations": {"devices": reserved}}}})}
        super().__init__(merged(SMALL, {"runner": {"gpus": gpus}}), script=device(0, minor=0) + device(1, minor=1),
                         services={"work": work}, task=INSIDE, host=engines.get("hook").host)


@checks.statement
def a_reservation_of_a_service_becomes_the_leased_ones():
    with ComposedGpus({"ids": [1]}) as one:
        text = one.up()
        assert "service work reserves GPUs" not in text, text
        assert inside(one) == {"s1.c01": ["cuda=0", f"nvidia={uuid(1)}", f"gpus={uuid(1)}", "nvidia1"]}, inside(one)


@checks.statement
def only_a_service_that_runs_depend_on_is_told_to_get_none():
    reserved = {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}}
    with ComposedGpus({"ids": [1]}) as one:
        one.compose_file({"services": {"db": {"deploy": reserved},
                                       "work": {"depends_on": {"db": {"condition": "service_healthy"}}}}})
        text = one.up()
        assert "service db reserves GPUs and gets none" in text, text
        assert "service work reserves GPUs" not in text, text


@checks.statement
def what_a_service_asks_for_is_what_its_runs_get_where_they_say_nothing():
    with ComposedGpus(None) as one:
        one.up()
        assert inside(one)["s1.c01"][-2:] == ["nvidia0", "nvidia1"], inside(one)
    with ComposedGpus(None, {"devices": ["nvidia.com/gpu=1"]}) as one:
        one.up()
        assert inside(one)["s1.c01"][0] == "cuda=0" and inside(one)["s1.c01"][3:] == ["nvidia1"], inside(one)


@checks.statement
def a_reservation_of_a_service_is_emptied_with_a_notice_where_the_run_has_none():
    with ComposedGpus("none") as one:
        one.up()
        assert inside(one) == {"s1.c01": ["cuda=", "nvidia=void", "gpus="]}, inside(one)
        notes = one.run_records()[0]["notes"]
        assert any("service work reserves GPUs" in note for note in notes), notes


@checks.statement
def processes_of_the_host_go_by_uuid():
    show = 'echo "cuda=$CUDA_VISIBLE_DEVICES rocr=$ROCR_VISIBLE_DEVICES" > "$CAMPAIGN_RESULTS_DIR/inside"'
    for gpus, wanted in (({"ids": [1]}, lambda: uuid(1)), ("none", str)):
        with campaign("hook", local(show, gpus=gpus)) as one:
            one.up()
            assert inside(one) == {"s1.c01": [f"cuda={wanted()}", "rocr="]}, inside(one)


need_engine(checks.prefix)
with contextlib.ExitStack() as stack:
    engines = Engines(stack)
    checks.main()
