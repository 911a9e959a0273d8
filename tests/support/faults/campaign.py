"""A campaign in a folder of its own, driven through the campaignctl program, and what is true of it afterwards."""

import collections
import copy
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/dev"))
PROGRAM = os.environ.get("CAMPAIGNCTL", str(BUILD / "campaignctl"))
KILLER = str(BUILD / "tests/kill_at_sync.so")
IMAGE = "campaignctl/probe:1"
SOAK = bool(os.environ.get("CAMPAIGNCTL_SOAK"))
PATIENCE = 120  # seconds: the bound of every wait

# Tells the witness file of its start and end, and leaves a result. TASK is what it does in between.
PAYLOAD = """\
echo "$CAMPAIGN_RUN_ID $CAMPAIGN_ATTEMPT start" >> /witness/log
TASK
echo '{"value": 7}' > "$CAMPAIGN_RESULTS_DIR/process_0.json"
echo "$CAMPAIGN_RUN_ID $CAMPAIGN_ATTEMPT end" >> /witness/log
"""

# JSON is YAML: campaign files are written as JSON, and tests change them as dictionaries.
DOCUMENT = {
    "axes": {"size": [1, 2, 3, 4]},
    "name_template": "s{p.size}",
    "runner": {
        "image": IMAGE,
        "pull": "never",
        "command": ["sh", "/payload/run.sh"],
        "network": "none",
        "processes": 1,
        "timeout": "2m",
        "stop_grace_period": "2s",
        "volumes": ["./payload:/payload:ro", "./witness:/witness"],
    },
    "gpus": "none",
    "execution": {"cycles": 3, "seed": 7, "retries": {"infra": 2, "backoff_seconds": 0.1}},
    "collect": {
        "metrics": {"value": {"json": "process_0.json#/value", "better": "higher", "primary": True}}
    },
    "io": {"min_free": 0},
}


def merged(base, changes):
    """`base` with `changes` in it: dictionaries are merged, a None takes its key away."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def wait_for(what, condition, patience=PATIENCE):
    """Polls `condition` until it is true and returns its value; its failure names `what`."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s for {what}")
        time.sleep(0.02)


def docker(*arguments, host=None, check=True):
    environment = dict(os.environ, **({"DOCKER_HOST": host} if host else {}))
    done = subprocess.run(
        ["docker", *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Campaign:
    """Use as a context manager: its end removes containers and folder."""

    def __init__(self, changes=None, name="faults", task="sleep 0.1", host=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="campaignctl-faults-"))
        self.name = name
        self.host = host
        self.document = merged(dict(DOCUMENT, name=name), changes or {})
        self.file = self.folder / "campaign.yaml"
        for part in ("payload", "witness"):
            (self.folder / part).mkdir()
        self.payload(task)
        self.write()
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        for uid in self.uids():
            left = docker(*self.listing(uid), host=self.host, check=False).split()
            if left:
                docker("rm", "-f", *left, host=self.host, check=False)
            networks = docker(*self.network_listing(uid), host=self.host, check=False).split()
            if networks:
                docker("network", "rm", *networks, host=self.host, check=False)
        if not os.environ.get("CAMPAIGNCTL_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def payload(self, task):
        (self.folder / "payload/run.sh").write_text(PAYLOAD.replace("TASK", task))

    def write(self, changes=None):
        """The campaign file, after `changes` to it."""
        self.document = merged(self.document, changes or {})
        self.file.write_text(json.dumps(self.document, indent=1))

    # The program.

    def environment(self, kill=None):
        environment = dict(os.environ, XDG_STATE_HOME=str(self.folder / "xdg"), NO_COLOR="1")
        for name in ("CAMPAIGNCTL_STATE_DIR", "LD_PRELOAD", "CAMPAIGNCTL_TEST_KILL"):
            environment.pop(name, None)
        if self.host:
            environment["DOCKER_HOST"] = self.host
        if kill:
            environment.update(LD_PRELOAD=KILLER, CAMPAIGNCTL_TEST_KILL=kill)
        return environment

    def command(self, arguments):
        return [PROGRAM, *map(str, arguments)]

    def start(self, *arguments, kill=None, cwd=None):
        """Starts campaignctl; its output goes to the folder's output.log, where `said()` finds it."""
        with open(self.folder / "output.log", "ab") as log:
            log.write(("$ campaignctl " + " ".join(map(str, arguments)) + "\n").encode())
            log.flush()
            process = subprocess.Popen(
                self.command(arguments),
                cwd=cwd or self.folder,
                env=self.environment(kill),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def run(self, *arguments, expect=0, kill=None, cwd=None):
        """Runs campaignctl to its end; returns what it printed. `expect`: its exit code, None for any."""
        before = len(self.said())
        process = self.start(*arguments, kill=kill, cwd=cwd)
        code = self.ended(process)
        text = self.said()[before:]
        if expect is not None and code != expect:
            raise AssertionError(f"exit code {code}, not {expect}:\n{text[-3000:]}")
        return text

    def ended(self, process, patience=PATIENCE):
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {patience} s:\n{self.said()[-3000:]}") from None

    def said(self):
        log = self.folder / "output.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def up(self, *arguments, **options):
        return self.run("up", self.file, *arguments, **options)

    def start_up(self, *arguments, **options):
        return self.start("up", self.file, *arguments, **options)

    def json(self, *arguments, **options):
        text = self.run("--json", *arguments, **options)
        return json.JSONDecoder().raw_decode(text, text.index("{"))[0]

    def status(self):
        return self.json("status", self.name, "--runs")

    # What lies on disk.

    def state(self, session="latest"):
        return self.folder / ".state" / self.name / session

    def results(self, session="latest"):
        return self.folder / "results" / self.name / session

    def journals(self):
        return sorted(self.state().glob("journal/*.jsonl"), key=lambda p: int(p.stem.rsplit("-", 1)[1]))

    def records(self):
        """Every whole record of the newest session's journals, in order of time."""
        found = []
        for path in self.journals():
            for line in path.read_bytes().replace(b"\0", b"").split(b"\n"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue  # a torn line
        return sorted(found, key=lambda record: record["mono_ns"])

    def events(self, name, run=None):
        return [r for r in self.records() if r["event"] == name and run in (None, r.get("run"))]

    def wait(self, what, condition, patience=PATIENCE):
        """wait_for, which fails at once where the controller that was started last is gone."""
        process = self.started[-1]

        def step():
            gone = process.poll() is not None
            value = condition()
            assert value or not gone, f"the controller is gone ({process.returncode}), and no {what}"
            return value

        try:
            return wait_for(what, step, patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()[-3000:]}") from None

    def until(self, event, count=1, run=None, patience=PATIENCE):
        """Waits until the journal holds `count` records of `event`."""
        return self.wait(f"{count} x {event}", lambda: self.events(event, run)[count - 1 :], patience)[0]

    def uids(self):
        found = set()
        for manifest in (self.folder / ".state").glob("*/*/campaign_manifest.json"):
            found.add(json.loads(manifest.read_text())["uid"])
        return sorted(found)

    def run_record(self, run):
        return json.loads((self.results() / "raw" / run / "run.json").read_text())

    def summary(self):
        return json.loads((self.results() / "summary.json").read_text())

    # What the payloads told.

    def witness(self):
        """[(run, attempt, start or end)] in the order in which payloads wrote them."""
        log = self.folder / "witness/log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [tuple(line.split()) for line in lines]

    def counts(self, what):
        return collections.Counter(run for run, _, said in self.witness() if said == what)

    def until_payload(self, count=1, what="start"):
        return self.wait(
            f"{count} payloads to {what}", lambda: len([w for w in self.witness() if w[2] == what]) >= count
        )

    # The engine.

    @staticmethod
    def listing(uid):
        return ["ps", "-aq", "--filter", f"label=campaignctl.uid={uid}"]

    @staticmethod
    def network_listing(uid):
        return ["network", "ls", "-q", "--filter", f"label=campaignctl.uid={uid}"]

    def networks(self):
        return [n for uid in self.uids() for n in docker(*self.network_listing(uid), host=self.host).split()]

    def containers(self):
        return [line for uid in self.uids() for line in docker(*self.listing(uid), host=self.host).split()]

    # Statements about the whole.

    def planned(self):
        return sorted(run["run_id"] for run in self.status()["runs"])

    def assert_complete(self, starts=1):
        """Every run is complete and was executed once; `starts`: how often one may have been started at most."""
        runs = self.planned()
        status = self.status()
        assert status["state"] == "finished", f"the session is {status['state']}"
        assert status["runs_completed"] == len(runs), f"{status['runs_completed']} of {len(runs)} completed"
        done, begun = self.counts("end"), self.counts("start")
        again = [key for key, count in collections.Counter(self.witness()).items() if count > 1]
        assert not again, f"told twice: {again}"
        for run in runs:
            assert done[run] >= 1, f"{run} never came to its end"
            assert begun[run] <= starts, f"{run} was started {begun[run]} times: {self.witness()}"
            assert starts > 1 or done[run] == 1, f"{run} was executed {done[run]} times"
        self.assert_results(runs)
        self.assert_nothing_left()

    def assert_results(self, runs):
        found = sorted(p.name for p in (self.results() / "raw").iterdir())
        assert found == runs, f"raw/ has {found}"
        completed = collections.Counter(r["run"] for r in self.events("completed"))
        completed.subtract(r["run"] for r in self.events("superseded"))
        for run in runs:
            folder = self.results() / "raw" / run
            record = json.loads((folder / "run.json").read_text())
            assert record["state"] == "completed" and record["run"] == run, record
            marker = json.loads((folder / ".completed_0").read_text())
            content = (folder / "process_0.json").read_bytes()
            assert marker["result_hash"] == hashlib.sha256(content).hexdigest(), f"{run}: marker {marker}"
            assert json.loads(content) == {"value": 7}
            assert completed[run] == 1, f"{run} is recorded as completed {completed[run]} times"
        ended_badly = {f"{r['run']}.a{r['attempt']}" for r in self.records() if r["event"] in ("interrupted", "failed")}
        left = {p.name for p in (self.results() / "attempts").iterdir()} - ended_badly
        assert not left, f"attempts are left: {left}"

    def assert_nothing_left(self):
        left = self.containers()
        assert not left, f"containers are left: {left}"
        networks = self.networks()
        assert not networks, f"networks are left: {networks}"

    def figures(self):
        """What must not depend on what happened: group, metric, n, and the mean of what payloads wrote."""
        summary = self.summary()
        rows = [
            (row["group"], row["metric"], row["n"], row["invalid"], row["mean"] if row["metric"] == "value" else None)
            for row in summary["rows"]
            if not row.get("sampled")
        ]
        return summary["runs"], summary["completed"], summary["failed"], sorted(map(str, rows))

    def signal(self, process, number=signal.SIGKILL):
        process.send_signal(number)
        return self.ended(process)
