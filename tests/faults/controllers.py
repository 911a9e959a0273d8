"""Two controllers never share a campaign, and two campaigns never touch each other."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import IMAGE, Campaign, docker  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("controllers")
SMALL = {"axes": {"size": [1, 2]}, "execution": {"cycles": 2}}


def running(campaign):
    campaign.payload("while [ ! -e /witness/go ]; do sleep 0.05; done")
    process = campaign.start_up()
    campaign.until_payload()
    return process


def let_go(campaign, process):
    (campaign.folder / "witness/go").touch()
    assert campaign.ended(process) == 0, campaign.said()[-2000:]
    campaign.assert_complete()


@checks.statement
def second_controller_is_refused_and_names_the_first():
    with Campaign(SMALL) as campaign:
        process = running(campaign)
        for command in (("up", campaign.file), ("resume", campaign.name), ("up", campaign.file, "--new")):
            text = campaign.run(*command, expect=4)
            assert str(process.pid) in text, f"{process.pid} is not named: {text}"
        let_go(campaign, process)


@checks.statement
def down_of_a_live_campaign_is_refused():
    with Campaign(SMALL) as campaign:
        process = running(campaign)
        text = campaign.run("down", campaign.name, expect=4)
        assert "stop" in text, text
        assert campaign.containers()
        let_go(campaign, process)


@checks.statement
def down_of_a_dead_campaign_removes_its_containers():
    with Campaign(SMALL) as campaign:
        campaign.signal(running(campaign))
        assert campaign.containers()
        campaign.run("down", campaign.name)
        campaign.assert_nothing_left()
        (campaign.folder / "witness/go").touch()
        campaign.up()
        campaign.assert_complete(starts=2)


@checks.statement
def what_was_left_by_a_look_at_the_engine_is_gone_with_the_next_up_and_a_neighbours_is_not():
    with Campaign(SMALL) as campaign:
        locks = [campaign.folder / ".state" / campaign.name / "controller.lock", campaign.folder / "neighbours.lock"]
        made = [docker("create", "--name", f"cctl-0123456{i}-glance-0", "--label", f"campaignctl.uid=0123456{i}",
                       "--label", f"campaignctl.host={os.uname().nodename}", "--label", f"campaignctl.lock={lock}",
                       IMAGE, "true").strip() for i, lock in enumerate(locks)]
        try:
            campaign.up()
            campaign.assert_complete()
            there = docker("ps", "-aq", "--no-trunc").split()
            assert made[0] not in there and made[1] in there, (made, there)
        finally:
            docker("rm", "-f", *made, check=False)


@checks.statement
def what_a_killed_pilot_left_is_gone_before_it_runs_again():
    with Campaign(dict(SMALL, execution={"cycles": 1, "pilot": True})) as campaign:
        campaign.signal(running(campaign))
        assert len(campaign.containers()) == 1
        process = campaign.start_up()
        campaign.until_payload(2)
        assert len(campaign.containers()) == 1, campaign.said()
        (campaign.folder / "witness/go").touch()
        assert campaign.ended(process) == 0, campaign.said()


@checks.statement
def same_name_from_two_folders():
    with Campaign(SMALL) as first, Campaign(SMALL) as second:
        processes = [(c, running(c)) for c in (first, second)]
        first.signal(processes[0][1])
        second.run("status", second.name)
        again = first.start_up()
        first.until("adopted")
        let_go(first, again)
        let_go(*processes[1])
        assert first.uids() != second.uids()


@checks.statement
def down_touches_no_other_campaign_of_its_name():
    with Campaign(SMALL) as first, Campaign(SMALL) as second:
        process = running(second)
        first.signal(running(first))
        first.run("down", first.name)
        first.assert_nothing_left()
        let_go(second, process)


need_engine(checks.prefix)
checks.main()
