"""A controller that is killed while it settles what a run came to: the verdict of the run's GPUs stands, and its samples too.

By the stand-in library, a process on this host that is throttled whenever it runs. Its first attempt is kept as
contaminated, its second one accepted and flagged.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import merged  # noqa: E402
from check import Checks  # noqa: E402
from gpu import GpuCampaign, device, local, uuid  # noqa: E402

checks = Checks("verdicts")
DOCUMENT = {"axes": {"size": [1]}, "execution": {"cycles": 1, "retries": {"backoff_seconds": 0}},
            "energy": {"allow_process_window": True, "baseline": {"enabled": False}}, "thermal": {"mode": "off"},
            "telemetry": {"sources": ["payload", "nvml"], "on_throttle": "rerun", "max_reruns": 1}}
HOT = {"utilisation": 90, "reasons": 0x40, "power": 300000, "energy_step": 20}
# Everything is sampled and nothing is decided yet.
UNDECIDED = ["rename/s1.c01.a1.json:1:before", "rename/accepting/s1.c01.a2:1:after", "rename/run.json:2:before"]
KEPT = ["rename/s1.c01.a1.json:1:after", "rename/config.yaml:2:after", "rename/telemetry.jsonl:1:after",
        "rename/run.json:1:before", "rename/run.json:1:after", "failed:1:before", "failed:1:durable"]
ACCEPTED = ["rename/run.json:2:after", "rename/telemetry.jsonl:2:after", "rename/raw/s1.c01:1:before",
            "rename/raw/s1.c01:1:after", "completed:1:before"]


def empty(folder):
    return not folder.exists() or not list(folder.iterdir())


def as_without_a_kill(one):
    failed = one.events("failed")
    assert [(r["attempt"], r["class"], r.get("final", False)) for r in failed] == [(1, "contaminated", False)], failed
    assert "hw_thermal for" in failed[0]["message"], failed
    kept = json.loads((one.results() / "attempts/s1.c01.a1/run.json").read_text())
    assert kept["class"] == "contaminated" and kept["message"] == failed[0]["message"], kept
    assert [r["attempt"] for r in one.events("completed")] == [2], one.events("completed")
    record = one.run_record("s1.c01")
    assert record["attempt"] == 2 and not record["valid"], record
    assert record["invalid_reason"] == "contaminated: throttled (hw_thermal)", record["invalid_reason"]
    assert any("run again 1 times" in note for note in record["notes"]), record["notes"]
    for folder in ("attempts/s1.c01.a1", "raw/s1.c01"):
        rows = [json.loads(line) for line in (one.results() / folder / "telemetry.jsonl").read_text().splitlines()]
        assert sum(isinstance(row, list) for row in rows) >= 5, f"{folder}: {rows}"
        assert empty(one.results() / folder / "config.yaml.payload"), folder
    for folder in ("accepting", "telemetry"):
        assert empty(one.results() / folder), list((one.results() / folder).iterdir())


def killed_at(order):
    with GpuCampaign(merged(DOCUMENT, local("sleep 0.6", gpus=1)), script=device(0, **HOT)) as one:
        text = one.up(kill=order, expect=None)
        code = one.started[-1].returncode
        assert code == -9, f"was not killed at {order}: exit code {code}\n{text[-1500:]}"
        one.up()
        as_without_a_kill(one)
        record = one.run_record("s1.c01")
        assert record["telemetry"]["status"] == "complete", record["telemetry"]
        assert record["energy"]["domains_j"][uuid(0)] > 0, record["energy"]


for moment in UNDECIDED + KEPT + ACCEPTED:
    checks.add(moment.replace(":", "."), lambda m=moment: killed_at(m))
checks.main()
