"""The sampler at 10 Hz on eight containers and eight GPUs of the stand-in library: how late its samples come, and what
its thread takes, the stand-in's own work included."""

import json
import os
import pathlib
import subprocess
import tempfile

from bench import IMAGE, LABEL, OURS

CONTAINERS = 8
GPU = ("gpu {n} uuid=GPU-{n} total=100 used=40 temperature=41 power=sine:300000:90000:3 energy_step=50 sm=1980 memory_clock=2619 "
       "utilisation=37 reasons=4 thermal_rate=0 power_rate=0 slots=0\nprocess {n} pid={pid}\n")


def started(count):
    """Containers that each work a little, as ID:PID."""
    work = "while :; do sleep 0.05; done"
    for _ in range(count):
        identifier = subprocess.run(
            ["docker", "run", "-d", "--network", "none", "--label", f"{LABEL}={OURS}", IMAGE, "sh", "-c", work],
            stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.strip()
        seen = subprocess.run(["docker", "inspect", identifier], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
        yield f"{identifier}:{json.loads(seen.stdout)[0]['State']['Pid']}"


def sampled(bench, containers, library, script):
    """One round: what it printed."""
    seconds = 2 if bench.quick else 60
    return subprocess.run([str(bench.build / "tests" / "perf_sampler"), "100", str(seconds), library, *containers],
                          env=dict(os.environ, NVML_STUB=str(script)), stdout=subprocess.PIPE, text=True, check=True,
                          timeout=seconds + 60).stdout


def told(bench, text, what):
    lateness, share, samples, missed = text.split()
    what = f"{CONTAINERS} containers{what} at 10 Hz, {samples} samples each, {missed} missed"
    bench.row(f"sampler: 99th percentile of lateness, {what}", float(lateness), "ms", 10)
    bench.row(f"sampler: its thread, {what}", float(share) * 100, "% of a core", 1)


def run(bench):
    containers = []
    try:
        containers.extend(started(CONTAINERS))
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "nvml.script"
            script.write_text("".join(GPU.format(n=n, pid=each.split(":")[1]) for n, each in enumerate(containers)))
            told(bench, sampled(bench, containers, "-", script), "")
            library = str(bench.build / "tests/nvml/libnvidia-ml.so.1")
            told(bench, sampled(bench, containers, library, script), f" and {CONTAINERS} GPUs")
    finally:
        for container in containers:
            subprocess.run(["docker", "rm", "-f", container.split(":")[0]], stdout=subprocess.DEVNULL, check=False)
