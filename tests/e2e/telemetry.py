"""What the sampler reads while runs are measured: its file beside the results, its figures in their records."""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign, wait_for  # noqa: E402
from check import Checks, Skip, need_engine  # noqa: E402

checks = Checks("telemetry")
ONE = {"axes": {"size": [1]}, "execution": {"cycles": 1}}
BURN = "timeout 2 sh -c 'while :; do :; done' || true"
# Waits until the test lets it go on.
GATE = "until [ -e /witness/go ]; do sleep 0.05; done"
LOCAL = {
    "type": "local",
    "command": ["sh", "-c", BURN + '; echo \'{"value": 7}\' > "$CAMPAIGN_RESULTS_DIR/process_0.json"'],
    **dict.fromkeys(("image", "pull", "network", "volumes")),
}


def one(changes=None):
    return dict(ONE, **(changes or {}))


def figures_of(record):
    return {metric["name"]: metric["value"] for metric in record["metrics"]}


def lines_of(campaign, run="s1.c01"):
    text = (campaign.results() / "raw" / run / "telemetry.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def assert_burnt(record, payload_kind):
    """About as many CPU seconds as the launcher's rusage, over the window, and samples all along."""
    telemetry, figures, outcome = record["telemetry"], figures_of(record), record["outcome"]
    used = outcome["rusage"]["user_s"] + outcome["rusage"]["system_s"]
    assert telemetry["status"] == "complete", telemetry
    assert used > 0.3, f"the payload used {used} s"
    assert abs(figures["cpu_seconds"] - used) < 0.1 + 0.05 * used, (figures, used)
    seconds = record["window"]["seconds"]
    mean = figures["cpu_seconds"] / seconds * 100
    assert abs(figures["cpu_util_mean_pct"] - mean) < 1, (figures, mean)
    assert figures["cpu_util_peak_pct"] >= figures["cpu_util_mean_pct"] * 0.9, figures
    assert 0 < figures["memory_mean_bytes"] <= figures["memory_peak_bytes"], figures
    ticks = seconds / (telemetry["interval_ms"] / 1000)
    assert telemetry["samples"] + telemetry["missed_ticks"] >= ticks - 2, (telemetry, ticks)
    sources = {source["name"]: source for source in telemetry["sources"]}
    assert sources["payload"]["kind"].startswith(payload_kind), sources
    assert "unavailable" not in sources["payload"], sources


def assert_aligned(lines, record):
    """One header, rows in order of time on both sides of the window, and an end."""
    header, rows, end = lines[0], lines[1:-1], lines[-1]
    assert header["telemetry"] == 1 and header["clock"] == "CLOCK_MONOTONIC", header
    assert header["run"] == f"{record['run']}.a{record['attempt']}", header
    assert end["end"] == 1 and end["lost_rows"] == 0, end
    assert all(len(row) == 2 + len(header["columns"]) for row in rows)
    times = [row[0] for row in rows]
    assert times == sorted(times)
    assert times[0] <= record["window"]["begin_mono_ns"] < record["window"]["end_mono_ns"] <= times[-1], (
        times[0], times[-1], record["window"])


@checks.statement
def burning_container_is_seen():
    with Campaign(one(), task=BURN) as campaign:
        text = campaign.up()
        campaign.assert_complete()
        record = campaign.run_record("s1.c01")
        assert_burnt(record, "cgroup")
        assert_aligned(lines_of(campaign), record)
        assert "sampled besides" in text and "cpu_seconds" in text, text
        assert not list((campaign.results() / "telemetry").iterdir()), "left behind"
        row = next(r for r in campaign.summary()["rows"] if r["metric"] == "cpu_seconds")
        assert row["sampled"] and row["n"] == 1 and row["unit"] == "s", row
        tidy = campaign.run("results", "export", campaign.name, "--tidy")
        assert ",cpu_seconds," in tidy, tidy
        shown = campaign.run("results", "show", campaign.name, "--run", "s1.c01")
        assert "telemetry" in shown and "memory_peak_bytes" in shown, shown


class WithoutGroups(Campaign):
    """A campaign whose controller has an empty folder in the place of /sys/fs/cgroup."""

    def command(self, arguments):
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        mounted = 'mount --bind "$1" /sys/fs/cgroup && shift && exec "$@"'
        return ["unshare", "-m", "sh", "-c", mounted, "sh", str(empty), *super().command(arguments)]


def mounts_can_be_hidden():
    words = ["unshare", "-m", "mount", "--bind", "/tmp", "/sys/fs/cgroup"]
    return shutil.which("unshare") and subprocess.run(words, capture_output=True, check=False).returncode == 0


@checks.statement
def container_whose_group_is_not_seen_has_figures_from_its_engine():
    if not mounts_can_be_hidden():
        raise Skip("no mount namespace can be made, so no group can be hidden")
    with WithoutGroups(one(), task=BURN.replace("timeout 2", "timeout 8")) as campaign:
        campaign.up()
        campaign.assert_complete()
        record = campaign.run_record("s1.c01")
        assert_burnt(record, "engine stats API")
        assert figures_of(record)["cpu_util_peak_pct"] < 150, record["metrics"]
        assert not record["notes"], record["notes"]


@checks.statement
def burning_process_is_seen():
    with Campaign(one({"runner": LOCAL})) as campaign:
        campaign.up()
        record = campaign.run_record("s1.c01")
        assert_burnt(record, "/proc sums")
        assert_aligned(lines_of(campaign), record)


@checks.statement
def burning_exec_is_seen_by_its_container():
    changes = {"runner": {"strategy": "persistent"}, "execution": {"cycles": 2}}
    with Campaign(one(changes), task=BURN) as campaign:
        campaign.up()
        campaign.assert_complete()
        for run in ("s1.c01", "s1.c02"):
            record = campaign.run_record(run)
            assert_burnt(record, "cgroup")
            assert_aligned(lines_of(campaign, run), record)
        first = next(row for row in lines_of(campaign, "s1.c02") if isinstance(row, list) and row[2] is not None)
        assert first[2] > 0.3, "the container's counter did not go on from the run before"


@checks.statement
def phase_is_what_counts():
    mark = '{"kind":"phase","name":"measure","mark":"%s","mono_ns":%s}'
    moment = "$(awk '{printf \"%.0f\", $1 * 1000000000}' /proc/uptime)"
    task = f"""{BURN}
printf '{mark}\\n' begin {moment} >> $CAMPAIGN_METRICS_FILE
sleep 1
printf '{mark}\\n' end {moment} >> $CAMPAIGN_METRICS_FILE
{BURN}"""
    with Campaign(one(), task=task) as campaign:
        campaign.up()
        record = campaign.run_record("s1.c01")
        assert record["window"]["source"] == "phase", record["window"]
        figures = figures_of(record)
        assert figures["cpu_seconds"] < 0.2, figures
        assert record["outcome"]["rusage"]["user_s"] > 0.6, record["outcome"]


@checks.statement
def killed_controller_makes_it_partial():
    for strategy in ("ephemeral", "persistent"):
        with Campaign(one({"runner": {"strategy": strategy}}), task=GATE) as campaign:
            process = campaign.start_up()
            campaign.until_payload()
            begun = campaign.results() / "telemetry/s1.c01.a1.jsonl"
            wait_for("the header", lambda: begun.exists() and b"\n" in begun.read_bytes())
            campaign.signal(process)
            campaign.start_up()
            campaign.until("adopted")
            wait_for("a second header", lambda: begun.read_text().count('"telemetry":1') == 2)
            (campaign.folder / "witness/go").touch()
            assert campaign.ended(campaign.started[-1]) == 0, campaign.said()
            record = campaign.run_record("s1.c01")
            assert record["resumed"] and record["telemetry"]["status"] == "partial", record["telemetry"]
            assert "nobody watched" in record["telemetry"]["reason"], record["telemetry"]
            assert any("telemetry: partial" in note for note in record["notes"]), record["notes"]
            assert record["valid"], "a run is not less valid for it"
            assert sum(isinstance(line, dict) and "telemetry" in line for line in lines_of(campaign)) == 2
            campaign.assert_complete()


@checks.statement
def samples_that_are_not_saved_leave_their_figures():
    with Campaign(one({"telemetry": {"save": False}}), task=BURN) as campaign:
        campaign.up()
        assert_burnt(campaign.run_record("s1.c01"), "cgroup")
        assert not list(campaign.results().rglob("*telemetry*.jsonl"))
        assert not list((campaign.results() / "telemetry").iterdir())


def threads_while_running(telemetry):
    with Campaign(one({"telemetry": telemetry}), task=GATE) as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        tasks = len(list(pathlib.Path(f"/proc/{process.pid}/task").iterdir()))
        (campaign.folder / "witness/go").touch()
        assert campaign.ended(process) == 0, campaign.said()
        return tasks, campaign.run_record("s1.c01"), list(campaign.results().rglob("*telemetry*"))


@checks.statement
def switched_off_it_costs_nothing():
    on, record, files = threads_while_running({"interval_ms": 50})
    assert record["telemetry"]["interval_ms"] == 50 and files
    for off in ({"interval_ms": 0}, {"sources": []}):
        tasks, record, files = threads_while_running(off)
        assert tasks == on - 1, f"{tasks} threads, {on} with the sampler's"
        assert record["telemetry"] is None and not files, (record["telemetry"], files)
        assert [m["name"] for m in record["metrics"]] == ["value", "measure_seconds"]


@checks.statement
def failed_attempt_keeps_its_samples():
    with Campaign(one(), task=BURN + "; exit 3") as campaign:
        campaign.up(expect=1)
        folder = campaign.results() / "attempts/s1.c01.a1"
        record = json.loads((folder / "run.json").read_text())
        assert record["telemetry"]["status"] == "complete", record["telemetry"]
        assert (folder / "telemetry.jsonl").exists()


@checks.statement
def payload_cannot_reach_it():
    task = "echo '[1,null,1]' > /campaign/ctl/telemetry.jsonl; sleep 0.3"
    with Campaign(one(), task=task) as campaign:
        campaign.up()
        assert lines_of(campaign)[0]["telemetry"] == 1


need_engine(checks.prefix)
checks.main()
