"""What the controller itself takes: CPU in a gap, memory, and the time from the engine's `die` to the journal."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.parse

from bench import UnixConnection, instant, journal, median


def idle_in_gap(bench, seconds):
    """Share of one CPU while a gap lasts."""
    path = bench.docker_campaign("idle", execution={"cycles": 2, "config_gap_seconds": seconds + 30})
    process = subprocess.Popen([bench.program, "-q", "up", str(path)], env=bench.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_event(path, "gap_started", 60)
        time.sleep(2)
        before, begin = cpu_nanoseconds(process.pid), time.monotonic()
        time.sleep(seconds)
        used, passed = cpu_nanoseconds(process.pid) - before, time.monotonic() - begin
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return used * 1e-9 / passed


def wait_for_event(path, name, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            if any(record["event"] == name for record in journal(path)):
                return
        except (IndexError, ValueError):
            pass
        time.sleep(0.2)
    raise RuntimeError(f"no {name} within {limit} s")


def cpu_nanoseconds(pid):
    """Of all threads; /proc/PID/stat counts in ticks of 10 ms, this in nanoseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


class DieEvents:
    """Collects timeNano of every `die` of containers that campaigns own, by container id."""

    def __init__(self, path):
        filters = {"type": ["container"], "event": ["die"], "label": ["campaignctl.uid"]}
        self.connection = UnixConnection(path)
        self.answer = self.connection.ask("GET", "/events?filters=" + urllib.parse.quote(json.dumps(filters)))
        self.seen = {}
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                self.seen[event["id"]] = event["timeNano"] * 1e-9
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass


def latencies(path, dies):
    ids, found = {}, []
    for record in journal(path):
        if record["event"] == "starting":
            ids[record["run"]] = record["id"]
        elif record["event"] == "exited" and ids.get(record["run"]) in dies:
            found.append(instant(record) - dies[ids[record["run"]]])
    return found


def run(bench):
    if bench.engine:
        with_engine(bench)
    local_runs = 50 if bench.quick else 1000
    path = bench.campaign("memory", execution={"cycles": local_runs})
    used = bench.timed(bench.program, "-q", "up", path)[0]
    bench.row(f"peak memory, {local_runs} local runs", used["rss_mb"], "MB", 25)
    bench.row("CPU per local run, with launcher and payload", used["cpu"] / local_runs * 1000, "ms")
    bench.row("wall per local run, whole command", used["wall"] / local_runs * 1000, "ms")
    times = [time["wall"] for time in bench.timed(bench.program, "version", count=50)]
    bench.row("campaignctl version", median(times) * 1000, "ms", 5)
    times = [time["wall"] for time in bench.timed("true", count=50)]
    bench.row("true, to compare", median(times) * 1000, "ms")


def with_engine(bench):
    runs = 10 if bench.quick else 100
    for overlap in ("gap", "always"):
        dies = DieEvents(bench.engine)
        path = bench.docker_campaign(f"latency-{overlap}", execution={"cycles": runs, "overlap": overlap})
        used = bench.timed(bench.program, "-q", "up", path)[0]
        found = latencies(path, dies.seen)
        bench.figures[f"latency-{overlap}"] = found
        bench.row(f"from `die` to `exited`, overlap {overlap}, median of {len(found)}", median(found) * 1000, "ms", 5)
        bench.row(f"peak memory, {runs} docker runs, overlap {overlap}", used["rss_mb"], "MB", 25)
        bench.row(f"controller CPU per docker run, overlap {overlap}, {runs} runs", used["cpu"] / runs * 1000, "ms", 3)
    seconds = 5 if bench.quick else 20
    bench.row(f"CPU in a gap, over {seconds} s", idle_in_gap(bench, seconds) * 100, "%", 0.1)
