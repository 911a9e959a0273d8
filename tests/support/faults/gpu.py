"""Campaigns on a host with scripted GPUs: the stand-in library of tests/support/nvml, found by the real dlopen."""

import json
import os
import pathlib
import threading

from campaign import BUILD, Campaign, merged

LIBRARY = BUILD / "tests/nvml"


def uuid(number):
    """Of the statement that runs on this thread: its devices are not those of others."""
    return f"GPU-{os.getpid()}-{threading.get_native_id()}-{number}"


def device(number, **keys):
    """A line of the script: a GPU of 80 GiB that somebody works on: a run that left it idle would have no result."""
    words = {"uuid": uuid(number), "total": 85899345920, "used": 500000000, "temperature": 40, "power": 70000, "utilisation": 50}
    text = " ".join(f"{key}={value}" for key, value in {**words, **keys}.items())
    return f"gpu {number} {text} name=Stand-in H100\n"


class GpuCampaign(Campaign):
    """`script`: of the stand-in library; `granted`: CUDA_VISIBLE_DEVICES, None = not set."""

    def __init__(self, changes=None, script=None, granted=None, **options):
        self.granted = granted
        super().__init__(merged({"gpus": "auto"}, changes or {}), **options)
        self.script = self.folder / "nvml.script"
        self.script.write_text(device(0) + device(1) if script is None else script)

    def environment(self, kill=None):
        environment = super().environment(kill)
        environment["LD_LIBRARY_PATH"] = str(LIBRARY)
        environment["NVML_STUB"] = str(self.script)
        for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS"):
            environment.pop(name, None)
        if self.granted is not None:
            environment["CUDA_VISIBLE_DEVICES"] = self.granted
        return environment

    def waits(self):
        """What its controller says that it waits for, "" where there is none yet."""
        beats = [json.loads(path.read_text()) for path in self.state().glob("heartbeat/*.json")]
        return " ".join(beat.get("wait_reason", "") for beat in beats)

    def run_records(self):
        return [json.loads(path.read_text()) for path in sorted((self.results() / "raw").glob("*/run.json"))]


def local(task, **keys):
    """A runner of a process on this host that leaves its result."""
    script = task + '; echo \'{"value": 7}\' > "$CAMPAIGN_RESULTS_DIR/process_0.json"'
    none = dict.fromkeys(("image", "pull", "network", "volumes"))
    return {"runner": {"type": "local", "command": ["sh", "-c", script], **none, **keys}}


def overlapping(records):
    """Pairs of runs that were under way at the same time."""
    pairs = []
    for i, one in enumerate(records):
        for other in records[i + 1 :]:
            if one["started_utc"] < other["finished_utc"] and other["started_utc"] < one["finished_utc"]:
                pairs.append((one, other))
    return pairs


def lease_file(number):
    return pathlib.Path("/run/lock") / f"campaignctl-{uuid(number)}"
