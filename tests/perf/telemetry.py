"""The sampler at 10 Hz on eight containers: how late its samples come, and what its thread takes."""

import json
import subprocess

from bench import IMAGE, LABEL, OURS

CONTAINERS = 8


def started(count):
    """Containers that each work a little, as ID:PID."""
    work = "while :; do sleep 0.05; done"
    for _ in range(count):
        identifier = subprocess.run(
            ["docker", "run", "-d", "--network", "none", "--label", f"{LABEL}={OURS}", IMAGE, "sh", "-c", work],
            stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.strip()
        seen = subprocess.run(["docker", "inspect", identifier], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
        yield f"{identifier}:{json.loads(seen.stdout)[0]['State']['Pid']}"


def run(bench):
    containers = []
    try:
        containers.extend(started(CONTAINERS))
        seconds = 2 if bench.quick else 60
        done = subprocess.run([str(bench.build / "tests" / "perf_sampler"), "100", str(seconds), *containers],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60)
    finally:
        for container in containers:
            subprocess.run(["docker", "rm", "-f", container.split(":")[0]], stdout=subprocess.DEVNULL, check=False)
    lateness, share, samples, missed = done.stdout.split()
    what = f"{CONTAINERS} containers at 10 Hz, {samples} samples each, {missed} missed"
    bench.row(f"sampler: 99th percentile of lateness, {what}", float(lateness), "ms", 10)
    bench.row(f"sampler: its thread, {what}", float(share) * 100, "% of a core", 1)
