"""Gaps that wait for chips to cool, on simulated sensors: a folder like /sys/class in a mount namespace of its own."""

import math
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign, merged, wait_for  # noqa: E402
from check import Checks  # noqa: E402
from gpu import GpuCampaign, device, local, uuid  # noqa: E402

checks = Checks("thermal")
TARGET, BAND = 45, 3
RUNNER = {
    "type": "local",
    "command": ["sh", "-c", 'sleep 1; echo \'{"value": 7}\' > "$CAMPAIGN_RESULTS_DIR/process_0.json"'],
    **dict.fromkeys(("image", "pull", "network", "volumes")),
}
ADAPTIVE = {"mode": "adaptive", "target_c": TARGET, "band_c": BAND, "max_wait": 100}
SENSOR = "hwmon.coretemp.Package id 0"


def campaign_of(thermal, cycles=2, **changes):
    return {
        "axes": {"size": [1]},
        "runner": RUNNER,
        "thermal": thermal,
        "telemetry": {"interval_ms": 0},
        "execution": {"cycles": cycles},
        **changes,
    }


class Hot(Campaign):
    """A campaign whose controller sees processors that cool from 90 to 30 C by the first order, anew after `heat`."""

    def __init__(self, changes, tau=10.0, sensor=True):
        super().__init__(changes, name="thermal")
        self.chip = self.folder / "class/hwmon/hwmon0"
        self.tau, self.begin = tau, time.monotonic()
        (self.folder / "class/hwmon").mkdir(parents=True)
        self.over = threading.Event()
        self.cooling = threading.Thread(target=self.cool, daemon=True)
        if sensor:
            self.chip.mkdir()
            (self.chip / "name").write_text("coretemp\n")
            (self.chip / "temp1_label").write_text("Package id 0\n")
            self.show()
            self.cooling.start()

    def __exit__(self, *what):
        self.over.set()
        if self.cooling.is_alive():
            self.cooling.join()
        super().__exit__(*what)

    def celsius(self):
        return 30 + 60 * math.exp((self.begin - time.monotonic()) / self.tau)

    def show(self):
        # In place, as the kernel's file is one that stays.
        with open(self.chip / "temp1_input", "r+" if (self.chip / "temp1_input").exists() else "w") as file:
            file.write(f"{int(self.celsius()) * 1000:06d}\n")

    def cool(self):
        while not self.over.wait(0.05):
            self.show()

    def heat(self):
        self.begin = time.monotonic()

    def command(self, arguments):
        """As ever, with the folder's `class` in the place of /sys/class."""
        mounted = 'mount --bind "$1" /sys/class && shift && exec "$@"'
        return [*NAMESPACE, "sh", "-c", mounted, "sh", str(self.folder / "class"), *super().command(arguments)]

    def run(self, *arguments, **options):
        """As ever; `wait` goes on to look after the controller, not after this."""
        text = super().run(*arguments, **options)
        self.started.insert(0, self.started.pop())
        return text

    def uids(self):
        return []  # nothing of it is on an engine

    def waits(self):
        """What `status` shows, once it shows that a gap is waited for."""
        def gap():
            wait = self.status().get("wait")
            return wait if wait and wait["reason"].startswith("gap") else None

        self.until("controller_started")
        return self.wait("a gap in status", gap)

    def gaps(self):
        return [(gap["reason"], gap["until"]["length"]) for gap in self.events("gap_started")]


def namespace():
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        words = [*command, "sh", "-c", "mount --bind /tmp /sys/class"]
        if shutil.which("unshare") and subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return command
    return None


NAMESPACE = namespace()


@checks.statement
def adaptive_gap_ends_when_the_plant_is_in_the_band():
    with Hot(campaign_of(ADAPTIVE), tau=20) as campaign:
        process = campaign.start_up()
        campaign.until("controller_started")
        wait = campaign.wait(
            "an expected end", lambda: (w := campaign.status().get("wait")) and "about" in w["reason"] and w
        )
        assert wait["reason"].startswith("gap: coretemp Package id 0 at") and wait["until"], wait
        assert campaign.ended(process) == 0, campaign.said()
        start = campaign.events("starting", "s1.c02")[0]
        # The reading drops fractions, and shows the edge of the band until it is a degree below.
        truth = campaign.begin + campaign.tau * math.log(60 / (TARGET + BAND + 1 - 30))
        ended = start["mono_ns"] / 1e9
        assert truth - 0.2 < ended < truth + 1.2, (ended - truth, start)
        assert start["gap"] == "in band" and start["celsius"] == {SENSOR: TARGET + BAND}, start
        record = campaign.run_record("s1.c02")
        assert record["gap_reason"] == "in band", record
        assert record["start_temperatures_c"] == {SENSOR: TARGET + BAND}, record
        assert 0 < record["gap_seconds"] < 30, record
        assert campaign.run_record("s1.c01")["gap_reason"] == "first run"
        assert campaign.gaps() == [("adaptive", 100)], campaign.gaps()
        rows = campaign.run("results", "export", campaign.name, "--tidy").splitlines()
        column = next(row for row in rows if "start_temp_c" in row).split(",").index("start_temp_c")
        assert float(rows[-1].split(",")[column]) == TARGET + BAND, rows
        why = campaign.run("status", campaign.name, "--why", "s1.c02")
        assert "in band" in why, why


@checks.statement
def target_of_the_first_run_outlives_its_controller():
    changes = campaign_of({"mode": "adaptive", "max_wait": 100}, cycles=3)
    with Hot(changes, tau=5) as campaign:
        campaign.begin -= 100  # at rest: 30 C
        wait_for("a chip at rest", lambda: (campaign.chip / "temp1_input").read_text() == "030000\n")
        process = campaign.start_up()
        campaign.until("starting")
        campaign.heat()
        campaign.until("gap_started")
        campaign.signal(process)
        assert campaign.events("starting")[0]["celsius"] == {SENSOR: 30}
        campaign.up()
        starts = campaign.events("starting")
        assert [start["gap"] for start in starts[1:]] == ["in band"] * 2, starts
        assert all(start["celsius"][SENSOR] <= 33 for start in starts), starts


@checks.statement
def killed_in_the_gap_what_is_left_is_honoured():
    hot = dict(ADAPTIVE, target_c=-20, stable_c_per_min=0, max_wait=12)
    with Hot(campaign_of(hot)) as campaign:
        process = campaign.start_up()
        campaign.until("gap_started")
        wait_for("a while in the gap", lambda: time.monotonic() - campaign.begin > 5)
        campaign.signal(process)
        campaign.up()
        gaps = campaign.events("gap_started")
        assert [gap["reason"] for gap in gaps] == ["adaptive", "resumed"], gaps
        assert gaps[0]["until"] == gaps[1]["until"], gaps
        start = campaign.events("starting", "s1.c02")[0]
        assert start["gap"] == "max_wait" and 12 <= start["gap_s"] < 13.5, start


@checks.statement
def without_a_sensor_it_is_fixed_with_a_notice():
    with Hot(campaign_of(dict(ADAPTIVE, max_wait=3)), sensor=False) as campaign:
        text = campaign.up()
        assert text.count("gap: fixed, as no temperature can be read: there is no processor's sensor") == 1, text
        assert campaign.gaps() == [("fixed", 3)], campaign.gaps()
        record = campaign.run_record("s1.c02")
        assert record["gap_reason"] == "fixed" and record["start_temperatures_c"] == {}, record
        assert any("no temperature can be read" in note for note in record["notes"]), record["notes"]


@checks.statement
def sensor_that_hangs_holds_up_nothing_for_long():
    with Hot(campaign_of(dict(ADAPTIVE, max_wait=40)), sensor=False) as campaign:
        campaign.chip.mkdir()
        (campaign.chip / "name").write_text("coretemp\n")
        os.mkfifo(campaign.chip / "temp1_input")  # who opens it waits for a writer that never comes
        process = campaign.start_up()
        wait = campaign.waits()
        assert wait["reason"] == "gap: the temperature sensors are asked", wait
        campaign.until("completed")
        first = campaign.events("starting")[0]
        assert first["gap"] == "first run" and "celsius" not in first, first
        assert "did not answer within 30 s" in campaign.said(), campaign.said()
        asked = time.monotonic()
        campaign.until("gap_started")
        assert time.monotonic() - asked < 3, "it was asked again"
        assert campaign.gaps() == [("fixed", 40)], campaign.gaps()
        campaign.run("stop", campaign.name)
        campaign.ended(process)


@checks.statement
def written_gap_is_fixed_and_the_mode_off_means_none():
    written = campaign_of(ADAPTIVE, execution={"cycles": 2, "config_gap_seconds": 1})
    with Hot(written) as campaign:
        campaign.up()
        assert campaign.gaps() == [("fixed", 1)], campaign.gaps()
        assert campaign.events("starting")[1]["celsius"], "how warm it began is not known"
    with Hot(dict(written, thermal={"mode": "off"})) as campaign:
        campaign.up()
        assert campaign.gaps() == []


@checks.statement
def changed_settings_are_protocol():
    with Hot(campaign_of({"mode": "off"}, cycles=1)) as campaign:
        campaign.up()
        campaign.write({"thermal": {"mode": "fixed"}, "execution": {"cycles": 2}})
        text = campaign.up(expect=None)
        assert "protocol: thermal.mode: off -> fixed" in text and "--accept-changes" in text, text


def on_gpus(thermal, script):
    changes = {
        "axes": {"size": [1]},
        "execution": {"cycles": 2},
        "thermal": thermal,
        "telemetry": {"interval_ms": 0},
    }
    return GpuCampaign(merged(changes, local("sleep 1", gpus=1)), script=script, name="thermal")


@checks.statement
def gpu_is_waited_for_without_a_word_in_the_file():
    script = device(0, temperature="plant:90,30,20")
    with on_gpus({"target_c": TARGET, "band_c": BAND}, script) as campaign:
        process = campaign.start_up()
        campaign.wait("an expected end", lambda: "gap: GPU 0 at" in campaign.waits() and "about" in campaign.waits())
        assert campaign.ended(process) == 0, campaign.said()
        start = campaign.events("starting", "s1.c02")[0]
        truth = campaign.script.stat().st_mtime + 20 * math.log(60 / (TARGET + BAND + 1 - 30))
        assert truth - 0.2 < start["utc"] < truth + 1.5, (start["utc"] - truth, start)
        assert start["gap"] == "in band" and start["celsius"] == {uuid(0): TARGET + BAND}, start
        assert campaign.run_record("s1.c02")["start_temperatures_c"] == {uuid(0): TARGET + BAND}


@checks.statement
def driver_that_hangs_in_the_gap_makes_it_fixed():
    script = device(0, temperature="plant:90,30,2000")
    with on_gpus({"target_c": TARGET, "band_c": BAND, "max_wait": 20}, script) as campaign:
        process = campaign.start_up()
        campaign.until("gap_started")
        campaign.script.write_text(script + "hang nvmlDeviceGetTemperature\n")
        assert campaign.ended(process) == 0, campaign.said()
        gaps = [(gap["reason"], gap["until"]["length"]) for gap in campaign.events("gap_started")]
        assert gaps == [("adaptive", 20), ("fixed", 20)], gaps
        start = campaign.events("starting", "s1.c02")[0]
        assert start["gap"] == "fixed" and 20 <= start["gap_s"] < 21.5, start
        assert "no temperature can be read: it did not answer within 5 s" in campaign.said(), campaign.said()


@checks.statement
def gpu_without_a_sensor_is_given_a_fixed_gap():
    script = device(0) + "error nvmlDeviceGetTemperature * 3\n"
    with on_gpus({"max_wait": 3}, script) as campaign:
        text = campaign.up()
        assert "no temperature can be read: GPU 0: nvmlDeviceGetTemperature: Not Supported" in text, text
        assert campaign.run_record("s1.c02")["gap_reason"] == "fixed"


if NAMESPACE is None:
    print(f"skip {checks.prefix} # no mount namespace can be made, so no sensor can be simulated")
    sys.exit(0)
checks.main()
