"""Runs as execs in a container that is held alive: nothing leaks, nothing is lost, a container that dies is made anew."""

import contextlib
import json
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import IMAGE, SOAK, Campaign, docker, merged, wait_for  # noqa: E402
from check import Checks, need_engine  # noqa: E402
from engine import OwnEngine  # noqa: E402

checks = Checks("persistent")
SMALL = {"axes": {"size": [1, 2]}, "execution": {"cycles": 2}, "runner": {"strategy": "persistent"}}
# How many processes a payload finds: those of the container, its own, and what others have left.
COUNT = 'set -- /proc/[0-9]*; echo "{\\"processes\\": $#}" > "$CAMPAIGN_RESULTS_DIR/count.json"'


def small(task="sleep 0.1", **changes):
    return Campaign(merged(SMALL, changes), task=task)


def served(task="sleep 0.1", **server):
    """With a server beside each run."""
    document = merged(SMALL, {"runner": {"server": server}})
    document["runner"]["network"] = None
    return Campaign(document, task=task)


def run_records(campaign):
    files = sorted(campaign.results().glob("raw/*/run.json"))
    return [json.loads(path.read_text()) for path in files]


def failed_records(campaign):
    return [json.loads(path.read_text()) for path in sorted(campaign.results().glob("attempts/*/run.json"))]


def in_order(campaign):
    return sorted(run_records(campaign), key=lambda record: record["position"])


@checks.statement
def many_execs_share_one_container_and_leave_nothing_in_it():
    cycles = 200 if SOAK else 60
    with small(COUNT, axes={"size": [1]}, execution={"cycles": cycles}) as campaign:
        process = campaign.start_up()
        campaign.wait("half of the runs", lambda: len(campaign.events("completed")) > cycles // 2)
        container = campaign.containers()
        assert len(container) == 1, container
        execs = json.loads(docker("inspect", "-f", "{{json .ExecIDs}}", container[0])) or []
        assert len(execs) <= 1, f"{len(execs)} execs are open"
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        campaign.assert_complete()
        records = in_order(campaign)
        assert [r["container_run"] for r in records] == list(range(1, cycles + 1))
        assert {r["strategy"] for r in records} == {"persistent"}
        counts = [json.loads((campaign.results() / "raw" / r["run"] / "count.json").read_text()) for r in records]
        seen = {count["processes"] for count in counts}
        assert len(seen) == 1, f"processes were left behind: {sorted(seen)}"
        assert all(r["outcome"]["rusage"]["max_rss_kb"] > 0 for r in records)


@checks.statement
def a_timeout_ends_every_descendant():
    task = f"""[ "$CAMPAIGN_CYCLE" = 2 ] || {{ setsid sleep 300 & (setsid setsid sleep 300 &); sleep 300; }}; {COUNT}"""
    changes = {"axes": {"size": [1]}, "runner": {"timeout": "1s", "stop_grace_period": "1s"}}
    with small(task, **changes) as campaign:
        campaign.up(expect=1)
        failed = failed_records(campaign)
        assert [r["class"] for r in failed] == ["timeout"], failed
        count = json.loads((campaign.results() / "raw/s1.c02/count.json").read_text())["processes"]
        assert count <= 5, f"{count} processes after the timeout"
        assert run_records(campaign)[0]["container_run"] == 2, "the container was not kept"
        campaign.assert_nothing_left()


@checks.statement
def exit_codes_and_signals_are_those_of_the_payload():
    task = 'case $CAMPAIGN_EXPERIMENT in s1) exit 7;; s2) kill -SEGV $$;; esac'
    with small(task, execution={"cycles": 1}) as campaign:
        campaign.up(expect=1)
        ends = {r["run"]: (r["class"], r["exit_code"], r["signal"]) for r in failed_records(campaign)}
        assert ends == {"s1.c01": ("payload", 7, None), "s2.c01": ("payload", None, 11)}, ends


@checks.statement
def one_that_dies_too_often_is_given_up():
    changes = {"health_check": {"max_restarts": 1}, "execution": {"cycles": 3, "retries": {"infra": 0}}}
    with small("kill -TERM 1; sleep 60", axes={"size": [1]}, **changes) as campaign:
        text = campaign.up(expect=1)
        assert "health_check.max_restarts" in text, text[-2000:]
        assert len(campaign.witness()) == 2, campaign.witness()
        assert any("its container died under it" in r["message"] for r in failed_records(campaign)), text[-2000:]
        campaign.assert_nothing_left()


@checks.statement
def one_that_dies_between_runs_is_there_again_for_the_next():
    with small(axes={"size": [1]}, execution={"cycles": 2, "config_gap_seconds": 3}) as campaign:
        process = campaign.start_up()
        campaign.until("completed")
        dead = campaign.containers()[0]
        docker("kill", dead)
        campaign.wait("another container", lambda: campaign.containers() not in ([], [dead]))
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        campaign.assert_complete()
        first, second = in_order(campaign)
        assert first["container_id"] != second["container_id"]
        assert second["container_run"] == 1


@contextlib.contextmanager
def image_that_looks_at_its_health():
    """The probe image with a check: unhealthy as soon as /tmp/sick is there."""
    made = docker("create", IMAGE).strip()
    name = f"campaignctl/probe-checked:{os.getpid()}"
    try:
        check = "HEALTHCHECK --interval=200ms --timeout=5s --retries=1 CMD [ ! -e /tmp/sick ]"
        docker("commit", "--change", check, made, name)
        yield name
    finally:
        docker("rm", made)
        docker("rmi", name, check=False)


def sick_after(runs_of_cycle, **changes):
    """Payloads that make their container unhealthy; the pause between runs lets the check see it."""
    task = f"case $CAMPAIGN_CYCLE in {runs_of_cycle}) touch /tmp/sick;; esac"
    execution = {"cycles": 3, "config_gap_seconds": 2, "retries": {"infra": 0}}
    return task, merged({"axes": {"size": [1]}, "execution": execution}, changes)


@checks.statement
def one_that_turns_unhealthy_between_runs_is_made_anew():
    task, changes = sick_after("1", health_check={"interval_experiments": 1, "max_restarts": 1})
    with image_that_looks_at_its_health() as image, small(task, **merged(changes, {"runner": {"image": image}})) as campaign:
        text = campaign.up()
        assert text.count("is unhealthy") == 1, text[-2000:]
        campaign.assert_complete()
        records = in_order(campaign)
        assert [r["container_run"] for r in records] == [1, 1, 2], records
        assert len({r["container_id"] for r in records}) == 2


@checks.statement
def restarts_for_health_count_against_max_restarts():
    task, changes = sick_after("*", health_check={"interval_experiments": 1, "max_restarts": 1})
    with image_that_looks_at_its_health() as image, small(task, **merged(changes, {"runner": {"image": image}})) as campaign:
        text = campaign.up(expect=1)
        assert "is unhealthy (health_check.max_restarts: 1)" in text, text[-2000:]
        assert [r["run"] for r in in_order(campaign)] == ["s1.c01", "s1.c02"]
        failed = campaign.events("failed")
        assert [(r["run"], r["class"]) for r in failed] == [("s1.c03", "infra")], failed
        assert ("s1.c03", "1", "start") not in campaign.witness()
        campaign.assert_nothing_left()


@checks.statement
def payloads_of_a_foreign_user_find_and_leave_their_files():
    task = '[ "$(id -u):$(id -g)" = 12345:12345 ] || exit 9; echo "$HOME" > "$HOME/seen"; echo said'
    with small(task, runner={"user": "12345:12345"}) as campaign:
        (campaign.folder / "witness").chmod(0o777)
        campaign.up()
        campaign.assert_complete()
        records = run_records(campaign)
        assert len({r["container_id"] for r in records}) == 1
        for record in records:
            folder = campaign.results() / "raw" / record["run"]
            assert (folder / "stdout.log").read_text() == "said\n"
            assert record["outcome"]["exit_code"] == 0


@checks.statement
def preparing_and_collecting_beside_a_run_loses_nothing():
    with small("sleep 0.5", execution={"cycles": 3, "overlap": "always"}) as campaign:
        campaign.up()
        campaign.assert_complete()
        records = in_order(campaign)
        assert [r["container_run"] for r in records] == [1, 2, 3, 4, 5, 6], records
        assert len({r["container_id"] for r in records}) == 1
        first, second = (r["run"] for r in records[:2])
        claimed, exited = campaign.events("claimed", second)[0], campaign.events("exited", first)[0]
        assert claimed["mono_ns"] < exited["mono_ns"], "the second run was prepared only after the first"


@checks.statement
def status_lists_what_is_held():
    with small("sleep 60 & wait $!", axes={"size": [1]}) as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        held = docker("inspect", "-f", "{{.Name}}", campaign.containers()[0]).strip().lstrip("/")

        def listed():
            return next((s for s in campaign.status()["services"] if s["name"] == held), None)

        first = wait_for("the list", lambda: (one := listed()) and one["state"] == "running" and one)
        assert (first["worker"], first["restarts"]) == (0, 0) and first["since"], first
        docker("kill", held)
        wait_for("its restart", lambda: listed() and listed()["restarts"] == 1)
        assert campaign.signal(process, signal.SIGTERM) == 143
        assert campaign.status()["services"] == []


@checks.statement
def text_of_a_lost_gpu_makes_the_container_anew():
    task = """[ "$CAMPAIGN_RUN_ID$CAMPAIGN_ATTEMPT" != s1.c011 ] || { echo "Failed to initialize NVML" >&2; exit 9; }"""
    with small(task, axes={"size": [1]}) as campaign:
        campaign.up()
        campaign.assert_complete(starts=2)
        failed = failed_records(campaign)
        assert [r["class"] for r in failed] == ["infra"], failed
        assert all(r["container_id"] != failed[0]["container_id"] for r in run_records(campaign))


@checks.statement
def cold_starts_have_a_container_and_a_home_of_their_own():
    task = 'set -- "$HOME"/*; [ ! -e "$1" ] || exit 5; touch "$HOME/seen"; [ "$CAMPAIGN_WARMUP_PROMPTS" = 0 ]'
    with small(task, cold_start={"force_cold_start": True}, runner={"warmup_command": ["false"]}) as campaign:
        campaign.up()
        campaign.assert_complete()
        records = run_records(campaign)
        assert len({r["container_id"] for r in records}) == 4
        assert {r["container_run"] for r in records} == {1}


@checks.statement
def restart_container_makes_a_fresh_one_for_each_run():
    with small(cold_start={"restart_container": True}) as campaign:
        campaign.up()
        campaign.assert_complete()
        assert len({r["container_id"] for r in run_records(campaign)}) == 4


WARM = """\
echo "$CAMPAIGN_PHASE $CAMPAIGN_RUN_ID" >> /witness/warm
echo '{"kind": "request", "latency_s": 1.0, "mono_ns": 1}' >> "$CAMPAIGN_METRICS_FILE"
touch "$CAMPAIGN_RESULTS_DIR/never-a-result"
"""


@checks.statement
def warmup_goes_on_until_it_has_converged_and_is_no_result():
    changes = {"runner": {"warmup_command": ["sh", "/payload/warm.sh"]},
               "execution": {"cycles": 1, "warmup_prompts": 20}}
    with small(**changes) as campaign:
        (campaign.folder / "payload/warm.sh").write_text(WARM)
        campaign.up()
        campaign.assert_complete()
        told = (campaign.folder / "witness/warm").read_text().split("\n")
        assert told.count("warmup s1.c01") == 5, told  # five equal latencies have converged
        for record in run_records(campaign):
            assert any("warmup: 5 of 20, converged" in note for note in record["notes"]), record["notes"]
            assert record["stages"]["warmup"] > 0
        assert not list(campaign.results().glob("raw/*/never-a-result"))


@checks.statement
def a_warmup_that_fails_says_why():
    changes = {"runner": {"warmup_command": ["sh", "-c", "echo broken >&2; exit 4"]}, "execution": {"cycles": 1}}
    with small(axes={"size": [1]}, **changes) as campaign:
        text = campaign.up(expect=1)
        assert "warmup_command ended with exit code 4" in text and "broken" in text, text[-1500:]
        assert "ctl/s1.c01.a1/warmup-1" in text, text[-1500:]
        assert not campaign.witness()
        campaign.assert_nothing_left()


@checks.statement
def both_strategies_of_each_experiment_run():
    with small(runner={"strategy": ["ephemeral", "persistent"]}) as campaign:
        campaign.up()
        campaign.assert_complete()
        of = {r["run"]: r["strategy"] for r in run_records(campaign)}
        assert len(of) == 8 and all(strategy in run for run, strategy in of.items()), of
        rows = campaign.summary()["rows"]
        assert {row["group"] for row in rows} >= {"s1-ephemeral", "s1-persistent"}, rows


# Signals in each stage.


def stopped(campaign, process):
    code = campaign.signal(process, signal.SIGTERM)
    assert code == 143, f"exit code {code}:\n{campaign.said()[-2000:]}"
    campaign.assert_nothing_left()


def goes_on(campaign, starts=1):
    campaign.payload("true")
    campaign.up()
    campaign.assert_complete(starts=starts)


@checks.statement
def sigterm_in_measure():
    with small("sleep 60 & wait $!") as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        stopped(campaign, process)
        goes_on(campaign, starts=2)


@checks.statement
def sigterm_in_gap():
    with small(execution={"cycles": 2, "config_gap_seconds": 120}) as campaign:
        process = campaign.start_up()
        campaign.until("gap_started")
        stopped(campaign, process)
        campaign.up("--no-gaps", "--accept-changes")
        campaign.assert_complete()


@checks.statement
def sigterm_in_warmup():
    warm = ["sh", "-c", "touch /witness/warming; [ -e /witness/quick ] || sleep 60"]
    with small(runner={"warmup_command": warm}) as campaign:
        process = campaign.start_up()
        campaign.wait("the warmup", (campaign.folder / "witness/warming").exists)
        stopped(campaign, process)
        assert campaign.events("released") and not campaign.witness()
        (campaign.folder / "witness/quick").touch()
        goes_on(campaign)


@checks.statement
def sigterm_in_ready():
    with served(command=["sleep", "600"], ready={"log": "never"}) as campaign:
        process = campaign.start_up()
        campaign.wait("the server", lambda: len(campaign.containers()) == 2)
        stopped(campaign, process)
        assert not campaign.witness()


@checks.statement
def sigterm_in_collect():
    slow = "[ -e hooked ] || { touch hooked; sleep 2; }"
    with small(hooks={"conclude": ["sh", "-c", slow]}) as campaign:
        process = campaign.start_up()
        campaign.wait("the hook", (campaign.folder / "hooked").exists)
        stopped(campaign, process)
        goes_on(campaign)


# Engines and neighbours.


def on_an_engine_that_is_killed(controller_too):
    changes = {"execution": {"cycles": 2}, "health_check": {"max_restarts": 9}}
    with OwnEngine() as engine, Campaign(merged(SMALL, changes), host=engine.host, task="sleep 1.5") as campaign:
        process = campaign.start_up()
        campaign.until("completed")
        campaign.until_payload(2)
        if controller_too:
            campaign.signal(process)
        engine.stop(signal.SIGKILL)
        engine.start()
        process = campaign.start_up() if controller_too else process
        code = campaign.ended(process)
        assert code == 0, f"exit code {code}:\n{campaign.said()[-3000:]}"
        campaign.assert_complete(starts=2)


@checks.statement
def engine_killed_and_started():
    on_an_engine_that_is_killed(controller_too=False)


@checks.statement
def engine_and_controller_killed():
    on_an_engine_that_is_killed(controller_too=True)


@checks.statement
def an_outcome_survives_controller_and_engine():
    """The exec ends while neither is there: its own launcher's file says how."""
    with OwnEngine() as engine, Campaign(SMALL, host=engine.host, task="sleep 1") as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process)
        run = campaign.witness()[0][0]
        wait_for("its outcome", (campaign.results() / f"ctl/{run}.a1/outcome.json").exists)
        engine.stop(signal.SIGKILL)
        engine.start()
        campaign.payload("true")
        campaign.up()
        campaign.assert_complete()


@checks.statement
def neighbours_are_never_touched():
    with OwnEngine() as engine, Campaign(
        SMALL, "alive", task="sleep 60 & wait $!", host=engine.host
    ) as alive, Campaign(SMALL, "dead", task="sleep 60 & wait $!", host=engine.host) as dead:
        for campaign in (alive, dead):
            campaign.start_up()
            campaign.until_payload()
        before = alive.containers()
        assert len(before) == 1
        dead.signal(dead.started[0])
        assert len(dead.containers()) == 1, "the container went with its controller"
        said = dead.run("down", "--orphans")
        assert not dead.containers() and alive.containers() == before, said
        goes_on(dead, starts=2)
        assert alive.containers() == before
        alive.signal(alive.started[0], signal.SIGTERM)
        alive.assert_nothing_left()


@checks.statement
def down_removes_what_a_killed_controller_left():
    with served("sleep 60 & wait $!", command=["sleep", "600"]) as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process)
        assert len(campaign.containers()) == 2 and len(campaign.networks()) == 1
        campaign.run("down", campaign.name)
        campaign.assert_nothing_left()


need_engine(checks.prefix)
checks.main()
