"""A controller that is killed at any moment loses nothing: the next `up` completes every run exactly once.

In CI every kind of record once, before it is written and after it is durable, and 20 seeded moments; with
CAMPAIGNCTL_SOAK every boundary of a campaign of 12 runs, torn records too, and 100 moments.
"""

import pathlib
import random
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import SOAK, Campaign  # noqa: E402
from check import Checks, need_engine  # noqa: E402
from composed import ASK, Composed  # noqa: E402

checks = Checks("kill")
SEED = 20261121
MODES = {
    "plain": {},
    "gaps": {"execution": {"config_gap_seconds": 0.8}},
    "hooks": {"hooks": {"prepare": ["true"], "conclude": ["true"], "cleanup": ["true"]}},
    "failing": {"execution": {"retries": {"payload": 1}}},
    "always": {"execution": {"overlap": "always"}},
    "workers": {"execution": {"workers": 2}},
    "workers_always": {"execution": {"workers": 2, "overlap": "always"}},
    "persistent": {"runner": {"strategy": "persistent"}},
    "persistent_workers": {"runner": {"strategy": "persistent"}, "execution": {"workers": 2}},
    "persistent_failing": {
        "runner": {"strategy": "persistent"},
        "execution": {"config_gap_seconds": 0.2, "retries": {"payload": 1}},
        "hooks": {"cleanup": ["true"]},
    },
    "server": {
        "runner": {
            "network": None,
            "server": {"command": ["sh", "-c", "echo ready; exec sleep 600"], "ready": {"log": "^ready"}},
        }
    },
}
HELD = ("persistent", "persistent_workers")
# Runs that are services of a compose file, with what they depend on.
COMPOSED = {"compose": {"runner": {"strategy": "ephemeral"}}, "compose_held": {"runner": {"strategy": "persistent"}}}
# In "failing" one experiment fails the first time.
FAILS_FIRST = '[ "$CAMPAIGN_EXPERIMENT$CAMPAIGN_ATTEMPT" != s11 ] || { echo no >&2; exit 3; }'
TASKS = {"failing": FAILS_FIRST, "persistent_failing": FAILS_FIRST}
STARTS = {"failing": 2, "persistent_failing": 2}
# How an undisturbed campaign goes in each mode: its figures and the number of its records, computed once.
undisturbed = {}
once = {mode: threading.Lock() for mode in (*MODES, *COMPOSED)}


def made(mode):
    if mode in COMPOSED:
        return Composed(COMPOSED[mode], task=ASK)
    return Campaign(MODES[mode], task=TASKS.get(mode, "sleep 0.1"))


def reference(mode):
    with once[mode]:
        if mode not in undisturbed:
            with made(mode) as campaign:
                campaign.up()
                campaign.assert_complete(STARTS.get(mode, 1))
                records = campaign.records()
                took = (records[-1]["mono_ns"] - records[0]["mono_ns"]) / 1e9
                undisturbed[mode] = (campaign.figures(), records, took)
        return undisturbed[mode]


def go_on(campaign, mode):
    """After the kill: `up` until it ends well, then everything that must hold."""
    campaign.up()
    campaign.assert_complete(STARTS.get(mode, 1))
    figures = campaign.figures()
    assert figures == reference(mode)[0], f"{figures}\nundisturbed: {reference(mode)[0]}"


def killed_at(mode, order):
    with made(mode) as campaign:
        text = campaign.up(kill=order, expect=None)
        code = campaign.started[-1].returncode
        assert code == -9, f"was not killed at {order}: exit code {code}\n{text[-1500:]}"
        go_on(campaign, mode)


def killed_after(mode, seconds, twice):
    with made(mode) as campaign:
        for _ in range(2 if twice else 1):
            process = campaign.start_up()
            try:
                process.wait(seconds)
            except Exception:
                campaign.signal(process)
        go_on(campaign, mode)


def add_kinds():
    """Each kind of record once: the second of its kind where there are several."""
    kinds = {
        "plain": ["session_started", "controller_started", "cycle_entered", "claimed", "starting", "exited",
                  "completed", "finished"],
        "gaps": ["gap_started"],
        "failing": ["failed"],
        "hooks": ["cleanup_owed", "cleanup_done"],
        "persistent_failing": ["session_started", "controller_started", "cycle_entered", "claimed", "gap_started",
                               "starting", "exited", "failed", "completed", "cleanup_owed", "cleanup_done",
                               "finished"],
        "server": ["claimed", "starting", "exited", "completed"],
    }
    alone = ("session_started", "controller_started", "finished", "cleanup_owed", "cleanup_done")
    for mode, events in kinds.items():
        prefix = "record" if mode in ("plain", "gaps", "failing", "hooks") else f"record.{mode}"
        for event in events:
            for when in ("before", "durable"):
                order = f"{event}:{1 if event in alone else 2}:{when}"
                checks.add(f"{prefix}.{event}.{when}", lambda m=mode, o=order: killed_at(m, o))
    for event in ("starting", "completed"):
        checks.add(f"record.{event}.torn", lambda o=f"{event}:3:torn": killed_at("plain", o))
    # Every step of a session's beginning, and, more than one run's, of an acceptance.
    for n in (*range(1, 7), *range(20, 26)):
        checks.add(f"rename.{n}", lambda o=f"rename:{n}:after": killed_at("plain", o))


def dies(campaign, process):
    code = campaign.ended(process)
    assert code == -9, f"was not killed: exit code {code}\n{campaign.said()[-1500:]}"


def in_adoption(order):
    with made("plain") as campaign:
        campaign.up(kill="starting:3:durable", expect=-9)
        dies(campaign, campaign.start_up(kill=order))
        go_on(campaign, "plain")


def in_adoption_of_an_exec(order):
    with Campaign(MODES["persistent"], task="[ -e /witness/quick ] || sleep 3") as campaign:
        process = campaign.start_up()
        campaign.until_payload(2)
        campaign.signal(process)
        dies(campaign, campaign.start_up(kill=order))
        (campaign.folder / "witness/quick").touch()
        go_on(campaign, "persistent")
        adopted = campaign.events("adopted")
        assert adopted and adopted[-1]["id"], adopted


def in_a_stop(changes, task, seen, order):
    """Killed while it stops by a signal: what was under way runs again, once."""
    with Campaign(changes, task=task) as campaign:
        process = campaign.start_up(kill=order)
        seen(campaign)
        process.send_signal(signal.SIGTERM)
        dies(campaign, process)
        campaign.payload("true")
        campaign.up()
        campaign.assert_complete(starts=2)


def in_a_request(request, order, changes=None):
    """Killed while a finished campaign takes up a request for more."""
    small = {"axes": {"size": [1, 2]}, "execution": {"cycles": 2}}
    with Campaign(small) as campaign:
        campaign.up()
        campaign.write(changes)
        dies(campaign, campaign.start_up(*request, kill=order))
        campaign.up()
        campaign.assert_complete(starts=2)


def add_kinds_of_later_controllers():
    gaps, asleep = {"execution": {"config_gap_seconds": 3}}, "sleep 60 & wait $!"
    in_gap, in_run = (lambda c: c.until("gap_started")), (lambda c: c.until_payload())
    for when in ("before", "durable"):
        checks.add(f"record.adopted.{when}", lambda w=when: in_adoption(f"adopted:1:{w}"))
        checks.add(f"record.persistent.adopted.{when}", lambda w=when: in_adoption_of_an_exec(f"adopted:1:{w}"))
        for event, changes, task, seen in (
            ("released", gaps, "true", in_gap),
            ("drained", gaps, "true", in_gap),
            ("interrupted", {}, asleep, in_run),
        ):
            checks.add(
                f"record.{event}.{when}",
                lambda c=changes, t=task, s=seen, o=f"{event}:1:{when}": in_a_stop(c, t, s, o),
            )
        for event, request, changes in (
            ("reopened", ("--rerun", "s1.c01"), None),
            ("superseded", ("--rerun", "s1.c01"), None),
            ("plan_revised", (), {"execution": {"cycles": 3}}),
        ):
            checks.add(
                f"record.{event}.{when}",
                lambda r=request, o=f"{event}:1:{when}", c=changes: in_a_request(r, o, c),
            )


def every_boundary():
    """Statements for each record of a campaign, found by an undisturbed one."""
    for mode in ("gaps", "workers_always"):
        events = [record["event"] for record in reference(mode)[1]]
        appends = len(events) - events.count("cycle_entered")  # written together with the first claim of its cycle
        for when in ("before", "torn", "durable"):
            for n in range(1, appends + 1):
                checks.add(f"boundary.{mode}.{n}.{when}", lambda m=mode, o=f"any:{n}:{when}": killed_at(m, o))
    for n in (*range(7, 20), *range(26, 40)):
        checks.add(f"rename.{n}", lambda o=f"rename:{n}:after": killed_at("plain", o))


def add_moments(count):
    generator = random.Random(SEED)
    modes = ["plain", "always", "workers", "workers_always"]
    for n in range(count):
        mode, share, twice = modes[n % len(modes)], generator.random(), n % 5 == 4
        checks.add(
            f"moment.{n:03}.{mode}{'.twice' if twice else ''}",
            lambda m=mode, s=share, t=twice: killed_after(m, s * reference(m)[2], t),
        )


def add_moments_of_held_containers(count):
    generator = random.Random(SEED + 1)
    for n in range(count):
        mode, share, twice = HELD[n % len(HELD)], generator.random(), n % 5 == 4
        checks.add(
            f"moment.held.{n:03}.{mode}{'.twice' if twice else ''}",
            lambda m=mode, s=share, t=twice: killed_after(m, s * reference(m)[2], t),
        )
    for n in range(count // 5):
        share = generator.random()
        checks.add(
            f"moment.server.{n:03}", lambda s=share: killed_after("server", s * reference("server")[2], False)
        )


def add_moments_of_services(count):
    generator = random.Random(SEED + 2)
    for n in range(count):
        mode, share = sorted(COMPOSED)[n % len(COMPOSED)], generator.random()
        checks.add(f"moment.{mode}.{n:03}", lambda m=mode, s=share: killed_after(m, s * reference(m)[2], False))


need_engine(checks.prefix)
add_kinds()
add_kinds_of_later_controllers()
add_moments(100 if SOAK else 20)
add_moments_of_held_containers(50 if SOAK else 10)
add_moments_of_services(20 if SOAK else 4)
if SOAK:
    every_boundary()
checks.main()
