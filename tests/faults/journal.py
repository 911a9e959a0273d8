"""A journal cut at any byte: `status` reads what is before the cut, `up` recovers results from their folders.

In CI at every 97th byte and around every record, with CAMPAIGNCTL_SOAK at every byte.
"""

import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import SOAK, Campaign  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("journal")
SIX_RUNS = {"axes": {"size": [1, 2, 3]}, "execution": {"cycles": 2}}


class Finished:
    """A finished campaign whose state and results can be put back as they were."""

    def __init__(self, campaign):
        campaign.up()
        campaign.assert_complete()
        self.campaign = campaign
        self.path = campaign.journals()[0]
        self.bytes = self.path.read_bytes()
        self.figures = campaign.figures()
        for name in (".state", "results"):
            shutil.copytree(campaign.folder / name, campaign.folder / f"{name}.kept", symlinks=True)

    def cut(self, at, snapshot=False):
        folder = self.campaign.folder
        for name in (".state", "results"):
            shutil.rmtree(folder / name)
            shutil.copytree(folder / f"{name}.kept", folder / name, symlinks=True)
        self.path.write_bytes(self.bytes[:at])
        if not snapshot:
            (self.campaign.state() / "snapshot.json").unlink(missing_ok=True)

    def boundaries(self):
        return [at + 1 for at, byte in enumerate(self.bytes) if byte == ord("\n")]

    def completed_before(self, at):
        whole = self.bytes[:at].rsplit(b"\n", 1)[0].split(b"\n")
        return sum(b'"event":"completed"' in line for line in whole)


@checks.statement
def status_reads_what_is_before_the_cut():
    with Campaign(SIX_RUNS) as campaign:
        finished = Finished(campaign)
        near = {b + d for b in finished.boundaries() for d in (-1, 0, 1)}
        length = len(finished.bytes)
        for at in sorted({*range(0, length + 1, 1 if SOAK else 97), *near}):
            if at > length:
                continue
            finished.cut(at)
            status = campaign.json("status", campaign.name)
            whole = finished.completed_before(at)
            if finished.bytes[at - 1 : at] == b"}":  # the newline alone is gone: the record is whole
                whole = finished.completed_before(at) + (b'"event":"completed"' in finished.bytes[:at].rsplit(b"\n", 1)[-1])
                assert status["runs_completed"] in (whole, finished.completed_before(at)), f"cut at {at}"
                continue
            assert status["runs_completed"] == whole, f"cut at {at}: {status['runs_completed']} completed, not {whole}"


@checks.statement
def status_survives_a_snapshot_ahead_of_the_journal():
    with Campaign(SIX_RUNS) as campaign:
        finished = Finished(campaign)
        for at in range(0, len(finished.bytes), len(finished.bytes) // 20):
            finished.cut(at, snapshot=True)
            campaign.run("status", campaign.name, expect=None)
            assert campaign.started[-1].returncode in (0, 65), f"cut at {at}"


@checks.statement
def up_recovers_results_and_runs_nothing_again():
    with Campaign(SIX_RUNS) as campaign:
        finished = Finished(campaign)
        boundaries = finished.boundaries()
        cuts = [0] + boundaries[:: 1 if SOAK else 3] + [b - 7 for b in boundaries[1 :: 1 if SOAK else 4]]
        for at in cuts:
            finished.cut(at)
            try:
                campaign.up()
                campaign.assert_complete()
                assert campaign.figures() == finished.figures
            except AssertionError as error:
                raise AssertionError(f"cut at {at} of {len(finished.bytes)}, {boundaries}: {error}") from error


@checks.statement
def damage_in_the_middle_is_told_and_repaired():
    with Campaign(SIX_RUNS) as campaign:
        finished = Finished(campaign)
        finished.cut(len(finished.bytes))
        middle = finished.boundaries()[10] + 40
        finished.path.write_bytes(finished.bytes[:middle] + b"\xff\0\xff" + finished.bytes[middle + 3 :])
        campaign.run("status", campaign.name, expect=None)
        text = campaign.up(expect=65)
        assert "fsck" in text, text
        campaign.run("journal", "fsck", campaign.name, expect=65)
        campaign.run("journal", "fsck", "--repair", campaign.name)
        campaign.up()
        campaign.assert_nothing_left()
        assert campaign.status()["runs_completed"] == 6 and campaign.figures() == finished.figures
        assert max(campaign.counts("start").values()) == 1, "a run was repeated"


need_engine(checks.prefix)
checks.main()
