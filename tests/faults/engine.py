"""An engine that is stopped, killed and started again in mid-campaign: the campaign finishes, at most twice on a run."""

import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign  # noqa: E402
from check import Checks  # noqa: E402
from engine import OwnEngine  # noqa: E402

checks = Checks("engine")
CHANGES = {"axes": {"size": [1, 2, 3]}, "execution": {"cycles": 2}}


def finishes(campaign, process):
    code = campaign.ended(process)
    assert code == 0, f"exit code {code}:\n{campaign.said()[-3000:]}"
    campaign.assert_complete(starts=2)
    twice = [run for run, count in campaign.counts("start").items() if count > 1]
    workers = campaign.document["execution"].get("workers", 1)
    assert len(twice) <= workers, f"{twice} were started twice"


def goes_away(number, **execution):
    changes = {**CHANGES, "execution": {**CHANGES["execution"], **execution}}
    with OwnEngine() as engine, Campaign(changes, host=engine.host) as campaign:
        campaign.payload("sleep 1.5")
        process = campaign.start_up()
        campaign.until("completed")
        campaign.until_payload(2)
        engine.stop(number)
        assert process.poll() is None, f"the controller went with its engine:\n{campaign.said()[-2000:]}"
        engine.start()
        finishes(campaign, process)


@checks.statement
def stopped_and_started():
    goes_away(signal.SIGTERM)


@checks.statement
def killed_and_started():
    goes_away(signal.SIGKILL)


@checks.statement
def stopped_with_workers_and_overlap():
    goes_away(signal.SIGTERM, workers=2, overlap="always")


@checks.statement
def engine_and_controller_killed():
    with OwnEngine() as engine, Campaign(CHANGES, host=engine.host) as campaign:
        campaign.payload("sleep 1.5")
        process = campaign.start_up()
        campaign.until_payload(2)
        campaign.signal(process)
        engine.stop(signal.SIGKILL)
        text = campaign.up(expect=3)
        assert "doctor" in text or "engine" in text, text
        engine.start()
        finishes(campaign, campaign.start_up())


@checks.statement
def orphans_of_dead_controllers_only():
    with OwnEngine() as engine, Campaign(CHANGES, "alive", host=engine.host) as alive, Campaign(
        CHANGES, "dead", host=engine.host
    ) as dead:
        for campaign in (alive, dead):
            campaign.payload("sleep 60 & wait $!")
            campaign.start_up()
            campaign.until_payload()
        dead.signal(dead.started[0])
        said = dead.run("down", "--orphans")
        assert not dead.containers() and len(alive.containers()) == 1, said
        assert alive.name in said or "running" in said, said
        alive.signal(alive.started[0], signal.SIGTERM)


checks.main()
