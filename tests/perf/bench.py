"""What the measurements share: the program under test, campaigns for it, the engine's raw API, and the table."""

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

IMAGE = "campaignctl/probe:1"
LABEL = "campaignctl.perf"
OURS = str(os.getpid())  # the label's value: others may measure beside us


class UnixConnection(http.client.HTTPConnection):
    """One kept connection to the engine's socket."""

    def __init__(self, path):
        super().__init__("docker", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, target, body=None):
        """The answer when its header is there; read() gives the rest."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self.request(method, target, json.dumps(body) if body is not None else None, headers)
        return self.getresponse()

    def call(self, method, target, body=None):
        answer = self.ask(method, target, body)
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {target}: {answer.status} {text.decode(errors='replace').strip()}")
        return json.loads(text) if text.strip() else None


def engine_socket():
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    path = host.removeprefix("unix://")
    return path if host.startswith("unix://") and os.path.exists(path) else None


class Bench:
    """A build, a scratch folder, and what was measured."""

    def __init__(self, build, quick, engine):
        self.build = pathlib.Path(build).resolve()
        self.quick = quick
        self.engine = engine  # its socket; None: nothing with containers
        self.program = str(self.build / "campaignctl")
        self.spawn_program = str(self.build / "tests" / "perf_spawn")
        self.fabricate_program = str(self.build / "tests" / "perf_fabricate")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="campaignctl-perf-"))
        self.figures = {}
        self.rows = []
        self.environment = dict(os.environ, XDG_STATE_HOME=str(self.folder / "index"))
        self.environment.pop("CAMPAIGNCTL_STATE_DIR", None)
        for program in (self.program, self.spawn_program, self.fabricate_program):
            if not os.path.exists(program):
                sys.exit(f"{program} is missing: cmake --build {build}")

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, text):
        print(f"-- {text}", file=sys.stderr, flush=True)

    def campaign(self, name, **keys):
        """Writes a campaign file of `true` and gives its path; `keys` go into execution, runner or the top."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        runner = {"type": "local", "command": ["true"]}
        execution = {"cycles": 10, "config_gap_seconds": 0, "retries": {"infra": 0}}
        document = {"name": name, "axes": {"n": [1]}, "runner": runner, "execution": execution, "io": {"min_free": 0}}
        runner.update(keys.pop("runner", {}))
        execution.update(keys.pop("execution", {}))
        document.update(keys)
        path = folder / "campaign.yaml"
        path.write_text(json.dumps(document))
        return path

    def docker_campaign(self, name, **keys):
        keys["runner"] = {"type": "docker", "image": IMAGE, "pull": "never", "network": "none", **keys.get("runner", {})}
        return self.campaign(name, **keys)

    def timed(self, *command, count=1, codes=(0,)):
        """Runs a command `count` times with its output thrown away: dicts of wall, cpu, rss_mb, code."""
        report = self.folder / "report"
        with open(self.folder / "errors", "w", encoding="utf-8") as errors:
            subprocess.run([self.spawn_program, str(report), str(count), *map(str, command)], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                           env=self.environment, cwd=self.folder)
        times = [json.loads(line) for line in report.read_text().splitlines()]
        bad = [time for time in times if time["code"] not in codes]
        if bad:
            raise RuntimeError(f"{command}: exit code {bad[0]['code']}\n" + (self.folder / "errors").read_text()[-2000:])
        return times

    def fabricate(self, *arguments):
        done = subprocess.run([self.fabricate_program, *map(str, arguments)], check=True, env=self.environment,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def row(self, what, value, unit, limit=None, than=None):
        """One line of the table. `limit` is what `value` must not exceed; `than` says what it was compared with."""
        self.rows.append({"what": what, "value": value, "unit": unit, "limit": limit, "than": than,
                          "held": None if limit is None else value <= limit})

    def table(self):
        lines = []
        for row in self.rows:
            limit = "" if row["limit"] is None else f"<= {row['limit']:g}"
            verdict = {None: "", True: "ok", False: "MISSED"}[row["held"]]
            lines.append(f"{row['what']:<66} {row['value']:>10.3f} {row['unit']:<6} {limit:>10} {verdict:<7}"
                         f"{row['than'] or ''}".rstrip())
        return "\n".join(lines)


def median(values):
    return statistics.median(values)


def journal(campaign_file):
    """Every record of the newest session of a campaign file, file by file."""
    sessions = sorted(path for path in (campaign_file.parent / ".state").glob("*/2*") if path.is_dir())
    for path in sorted((sessions[-1] / "journal").glob("*.jsonl"), key=lambda p: int(p.stem.rsplit("-", 1)[1])):
        for line in path.read_bytes().rstrip(b"\0").splitlines():
            yield json.loads(line)


def instant(record):
    """Seconds since the epoch of a record's `t`."""
    return datetime.datetime.fromisoformat(record["t"].replace("Z", "+00:00")).timestamp()


def span_of_runs(campaign_file):
    """From the first `claimed` to the last `completed`, seconds."""
    records = list(journal(campaign_file))
    claimed = [instant(r) for r in records if r["event"] == "claimed"]
    completed = [instant(r) for r in records if r["event"] == "completed"]
    return max(completed) - min(claimed), len(completed)


@contextlib.contextmanager
def containers(socket_path, count):
    """Containers of `true` made beforehand, removed afterwards."""
    connection = UnixConnection(socket_path)
    ids = []
    try:
        for _ in range(count):
            ids.append(connection.call("POST", "/containers/create", container_body())["Id"])
        yield ids
    finally:
        for one in ids:
            connection.call("DELETE", f"/containers/{one}?force=1&v=1")
        connection.close()


def container_body():
    return {"Image": IMAGE, "Cmd": ["true"], "Labels": {LABEL: OURS},
            "HostConfig": {"NetworkMode": "none", "Init": True}}
