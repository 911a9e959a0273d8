"""How soon the death of a held container is noticed. The limit is one of time: tests/run lets nothing run beside this."""

import datetime
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("notice")


def die_events(campaign):
    """The moments at which the engine says that containers of this campaign died, seconds since the epoch."""
    return subprocess.Popen(
        ["docker", "events", "--filter", "event=die", "--filter", f"label=campaignctl.campaign={campaign.name}",
         "--format", "{{.TimeNano}}"],
        stdout=subprocess.PIPE, text=True,
    )


def records(campaign, pattern):
    return [json.loads(path.read_text()) for path in sorted(campaign.results().glob(pattern))]


@checks.statement
def a_container_that_dies_every_third_run_is_noticed_and_made_anew():
    # TERM for the main process of the container, from within a run.
    task = """[ $((CAMPAIGN_CYCLE % 3)) != 0 ] || [ "$CAMPAIGN_ATTEMPT" != 1 ] || { kill -TERM 1; sleep 60; }"""
    changes = {"axes": {"size": [1]}, "execution": {"cycles": 9}, "runner": {"strategy": "persistent"}}
    with Campaign(changes, name="third", task=task) as campaign:
        events = die_events(campaign)
        campaign.up()
        events.terminate()
        deaths = [int(line) / 1e9 for line in events.stdout][:3]
        campaign.assert_complete(starts=2)
        failed = records(campaign, "attempts/*/run.json")
        assert [(r["run"], r["class"]) for r in failed] == [(f"s1.c0{n}", "infra") for n in (3, 6, 9)], failed
        containers = {r["container_id"] for r in records(campaign, "raw/*/run.json")}
        assert len(containers) == 4, containers
        noticed = [
            datetime.datetime.fromisoformat(r["t"].replace("Z", "+00:00")).timestamp()
            for r in campaign.events("exited")
            if r["attempt"] == 1 and r["run"] in ("s1.c03", "s1.c06", "s1.c09")
        ]
        delays = sorted(after - death for death, after in zip(deaths, noticed))
        assert len(delays) == 3 and delays[1] < 0.1, f"noticed after {delays} s"


need_engine(checks.prefix)
checks.main()
