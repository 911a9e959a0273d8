"""A state folder that runs full: clear error, exit 3, nothing left running, and resumable once there is room."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign  # noqa: E402
from check import Checks, Skip, need_engine  # noqa: E402

checks = Checks("disk")
CHANGES = {"axes": {"size": [1, 2]}, "execution": {"cycles": 3}}
# Failures with long logs write more than the journal has set aside. None of it is final.
RETRIES = {"payload": 100, "backoff_seconds": 0.01, "max_backoff_seconds": 0.02}


class SmallStateFolder:
    """A tmpfs of `size` at .state of the campaign; needs root."""

    def __init__(self, campaign, size):
        if os.geteuid() != 0:
            raise Skip("needs root, to mount a small file system")
        self.path = campaign.folder / ".state"
        self.path.mkdir(mode=0o700)
        self.size = size

    def __enter__(self):
        options = f"size={self.size},mode=700"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)], check=False)
        if done.returncode != 0:
            raise Skip("a tmpfs cannot be mounted here")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)], check=False)

    def fill(self):
        """Takes every byte that is left."""
        for size in (65536, 4096):
            with open(self.path / f"ballast.{size}", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def make_room(self):
        for ballast in self.path.glob("ballast.*"):
            ballast.unlink()


def fills(task, at, size="1400k", **execution):
    execution = {"skip_after_failures": 0, "retries": RETRIES, **execution}
    changes = {**CHANGES, "execution": {**CHANGES["execution"], **execution}}
    with Campaign(changes) as campaign, SmallStateFolder(campaign, size) as small:
        campaign.payload(task)
        process = campaign.start_up()
        at(campaign)
        small.fill()
        (campaign.folder / "witness/go").touch()
        code = campaign.ended(process)
        said = campaign.said()
        assert code == 3, f"exit code {code}:\n{said[-2000:]}"
        assert "space" in said and "resume" in said, said
        small.make_room()
        campaign.payload("true")
        campaign.up()
        campaign.assert_complete(starts=100)


WAITS = "while [ ! -e /witness/go ]; do sleep 0.05; done; head -c 9000 /dev/zero | tr '\\0' x >&2; exit 3"


@checks.statement
def full_while_a_run_is_under_way():
    fills(WAITS, lambda campaign: campaign.until_payload())


@checks.statement
def full_with_workers_and_overlap():
    fills(WAITS, lambda campaign: campaign.until_payload(2), workers=2, overlap="always")


@checks.statement
def full_from_the_beginning():
    with Campaign(CHANGES) as campaign, SmallStateFolder(campaign, "1400k") as small:
        small.fill()
        text = campaign.up(expect=3)
        assert "space" in text.lower(), text
        assert not campaign.witness()
        small.make_room()
        campaign.up()
        campaign.assert_complete()


@checks.statement
def below_min_free_no_run_starts():
    with Campaign({**CHANGES, "io": {"min_free": "900g"}}) as campaign:
        text = campaign.up(expect=3)
        assert "min_free" in text and not campaign.witness(), text
        campaign.up("--set", "io.min_free=0", "--accept-changes")
        campaign.assert_complete()


need_engine(checks.prefix)
checks.main()
