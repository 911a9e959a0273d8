"""Runs with GPUs: what is sampled on them, their energy, and what speaks against a run. By the stand-in library, processes on this host."""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import merged  # noqa: E402
from check import Checks  # noqa: E402
from gpu import GpuCampaign, device, local, uuid  # noqa: E402

checks = Checks("gpu_telemetry")
ONE = {"axes": {"size": [1]}, "execution": {"cycles": 1, "retries": {"backoff_seconds": 0}},
       "energy": {"allow_process_window": True, "baseline": {"enabled": False}}, "telemetry": {"sources": ["payload", "nvml"]}}
WAITS = "touch begun; until [ -e go ]; do sleep 0.05; done"
BUSY = {"utilisation": 90, "sm": 1980, "memory_clock": 2619, "reasons": 0, "power": 300000, "energy_step": 20}
HW_THERMAL = 0x40


def campaign(task, changes=None, **keys):
    return GpuCampaign(merged(merged(ONE, local(task, gpus=1)), changes or {}), script=device(0, **{**BUSY, **keys}))


def becomes(one, text):
    """The script from now on, whole at any moment."""
    new = one.script.with_suffix(".new")
    new.write_text(text)
    os.replace(new, one.script)


def figures_of(record):
    return {metric["name"]: metric["value"] for metric in record["metrics"]}


def kept(one, attempt):
    return json.loads((one.results() / "attempts" / attempt / "run.json").read_text())


@checks.statement
def power_and_energy_of_a_run_are_those_of_its_device():
    with campaign("sleep 2.5") as one:
        text = one.up()
        assert "the GPU energy of s1 is known to " in text and "too short for 1 %" in text, text
        record = one.run_record("s1.c01")
        energy, figures, seconds = record["energy"], figures_of(record), record["window"]["seconds"]
        source = next(s for s in record["telemetry"]["sources"] if s["name"] == "gpu0")
        assert source["device"] == uuid(0) and source["kind"] == "NVML" and "unavailable" not in source, source
        gpu = energy["gpus"][0]
        assert gpu["device"] == uuid(0) and gpu["method"] == "counter", energy
        assert abs(energy["domains_j"][uuid(0)] - 300 * seconds) < 0.03 * 300 * seconds, (energy, seconds)
        assert abs(gpu["power_j"] - 300 * seconds) < 0.001 * 300 * seconds, energy
        assert figures["gpu_energy_j"] == energy["domains_j"][uuid(0)] and abs(figures["gpu_power_mean_w"] - 300) < 0.1, figures
        assert any("has to last" in note for note in record["notes"]), record["notes"]
        assert record["valid"] and record["verdicts"]["throttled"] == [], record["verdicts"]
        header = json.loads((one.results() / "raw/s1.c01/telemetry.jsonl").read_text().split("\n")[0])
        assert any(c["name"] == "gpu0.energy_j" for c in header["columns"]), header


@checks.statement
def throttled_run_is_invalid_and_the_tables_say_why():
    with campaign("sleep 0.6", reasons=HW_THERMAL) as one:
        text = one.up()
        assert "invalid: 1 throttled (hw_thermal)" in text and "1 run: 1 completed, 1 of them invalid (throttled)" in text, text
        record = one.run_record("s1.c01")
        assert not record["valid"] and record["invalid_reason"] == "contaminated: throttled (hw_thermal)", record["invalid_reason"]
        row = next(r for r in one.summary()["rows"] if r["metric"] == "value")
        assert row["n"] == 0 and row["invalid"] == 1 and "throttled (hw_thermal)" in row["invalid_reasons"][0], row
        assert "invalid" in one.run("results", "list", one.name)
        assert "completed, invalid" in one.run("status", one.name, "--runs")
        why = one.run("status", one.name, "--why", "s1.c01")
        assert "do not count: contaminated: throttled (hw_thermal)" in why and "note: its GPUs were throttled" in why, why
        assert "throttled (hw_thermal)" in one.run("results", "show", one.name, "--run", "s1.c01")


@checks.statement
def throttled_run_is_done_again_until_it_is_cool_or_the_reruns_are_used_up():
    with campaign("sleep 0.6", {"telemetry": {"on_throttle": "rerun", "max_reruns": 1}}, reasons=HW_THERMAL) as one:
        one.up()
        assert [r["class"] for r in one.events("failed")] == ["contaminated"]
        first, record = kept(one, "s1.c01.a1"), one.run_record("s1.c01")
        assert first["class"] == "contaminated" and "hw_thermal for" in first["message"], first
        assert record["attempt"] == 2 and record["state"] == "completed" and not record["valid"], record
        assert any("run again 1 times" in note for note in record["notes"]), record["notes"]


@checks.statement
def process_of_somebody_else_contaminates_a_run():
    with campaign(WAITS) as one:
        process = one.start_up()
        one.wait("its payload", (one.folder / "begun").exists)
        becomes(one, device(0, **BUSY) + "process 0 pid=1 memory=1000000\n")
        one.wait("a sample with it", lambda: any(
            isinstance(row, list) and row[-1] == 1 for row in sampled(one)), patience=40)
        (one.folder / "go").touch()
        assert one.ended(process) == 0, one.said()
        record = one.run_record("s1.c01")
        assert record["invalid_reason"] == "contaminated: shared device", record
        assert record["verdicts"]["foreign"] == {uuid(0): 1}, record["verdicts"]


def sampled(one):
    """Whole lines of the file that grows; it is written every ten seconds."""
    path = one.results() / "telemetry/s1.c01.a1.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


@checks.statement
def device_that_was_never_used_is_an_invalid_result():
    with campaign("sleep 1.5", utilisation=0, power=60000) as one:
        one.up(expect=1)
        failed = one.events("failed")[0]
        assert failed["class"] == "invalid_result" and f"ever seen on {uuid(0)}" in failed["message"], failed


@checks.statement
def driver_that_hangs_stalls_no_run():
    with campaign(WAITS) as one:
        process = one.start_up()
        one.wait("its payload", (one.folder / "begun").exists)
        becomes(one, device(0, **BUSY) + "hang nvmlDeviceGetPowerUsage\n")
        one.wait("another thread", lambda: "telemetry 2" in json.dumps(one.status()))
        (one.folder / "go").touch()
        assert one.ended(process) == 0, one.said()
        record = one.run_record("s1.c01")
        source = next(s for s in record["telemetry"]["sources"] if s["name"] == "gpu0")
        assert source["unavailable"] == "a reading did not come back", source
        assert record["state"] == "completed" and record["energy"]["raw_j"] is None, record["energy"]


checks.main()
