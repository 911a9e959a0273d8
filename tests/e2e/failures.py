"""Runs that fail in every class, hooks that fail, gaps and deadlines that outlive their controller."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("failures")
ONE = {"axes": {"size": [1]}, "execution": {"cycles": 1}}


def one(**changes):
    return Campaign({**ONE, **changes})


def fails(cls, task, attempts=1, **runner):
    """One run that fails in `cls`; returns its last record `failed`."""
    with one(runner=runner) as campaign:
        campaign.payload(task)
        campaign.up(expect=1)
        failed = campaign.events("failed")
        assert [r["class"] for r in failed] == [cls] * attempts, failed
        assert failed[-1]["message"], failed
        campaign.assert_nothing_left()
        status = campaign.status()
        assert status["runs_failed"] == 1 and status["runs"][0]["class"] == cls, status
        kept = campaign.results() / "attempts" / f"s1.c01.a{attempts}"
        assert (kept / "run.json").exists(), "the failed attempt was not kept"
        return failed[-1]


@checks.statement
def exit_code_is_payload_and_keeps_its_log():
    failed = fails("payload", "echo reason >&2; exit 3")
    assert failed["code"] == 3 and "reason" in failed["log_tail"], failed


@checks.statement
def signal_of_its_own_is_payload():
    assert fails("payload", "kill -SEGV $$")["signal"] == 11


@checks.statement
def timeout_stops_and_removes_the_container():
    begin = time.monotonic()
    fails("timeout", "sleep 100 & wait $!", timeout="1s")
    assert time.monotonic() - begin < 30


@checks.statement
def timeout_of_a_payload_that_ignores_term():
    fails("timeout", "trap '' TERM; while :; do sleep 0.1; done", timeout="1s", stop_grace_period="1s")


@checks.statement
def silence_is_stalled():
    fails("stalled", "echo begun; sleep 100 & wait $!", stall_timeout="1s")


@checks.statement
def too_much_memory_is_oom():
    # tail keeps what it reads: one endless line.
    fails("oom", "tail -c 200m /dev/zero > /dev/null || exit 9", memory="16m")


@checks.statement
def missing_command_is_config_and_never_retried():
    with Campaign({"axes": {"size": [1]}, "runner": {"command": ["no-such-program"]}}) as campaign:
        campaign.up(expect=1)
        assert [r["class"] for r in campaign.events("failed")] == ["config"]
        assert [r["reason"] for r in campaign.events("skipped")] == ["config"] * 2
        campaign.assert_nothing_left()


@checks.statement
def no_result_is_missing_result():
    fails("missing_result", "exit 0")


@checks.statement
def a_result_that_does_not_parse_is_invalid():
    fails("invalid_result", "echo '{' > $CAMPAIGN_RESULTS_DIR/process_0.json; exit 0")


@checks.statement
def failing_prepare_is_infra_and_retried():
    with one(hooks={"prepare": ["sh", "-c", "[ -e ok ] || { echo no >&2; exit 7; }"]}) as campaign:
        campaign.up(expect=1)
        failed = campaign.events("failed")
        assert [r["class"] for r in failed] == ["infra"] * 3, failed
        assert "prepare" in failed[0]["message"] and "7" in failed[0]["message"], failed
        assert not campaign.witness(), "a payload ran though its prepare hook failed"
        (campaign.folder / "ok").touch()
        campaign.up("--retry", "state=failed")
        assert campaign.status()["runs_completed"] == 1
        campaign.assert_nothing_left()


@checks.statement
def hooks_run_in_their_order_and_see_the_run():
    say = 'echo {} $CAMPAIGN_RUN_ID >> hooks.log'
    hooks = {name: ["sh", "-c", say.replace("{}", name)] for name in ("setup", "prepare", "conclude", "cleanup")}
    with one(hooks=hooks) as campaign:
        campaign.up()
        told = (campaign.folder / "hooks.log").read_text().splitlines()
        assert [t.strip() for t in told] == ["setup", "prepare s1.c01", "conclude s1.c01", "cleanup"], told


@checks.statement
def failing_conclude_and_cleanup_do_not_fail_the_run():
    with one(hooks={"conclude": ["false"], "cleanup": ["false"]}) as campaign:
        campaign.up()
        campaign.assert_complete()
        assert "conclude" in campaign.said() and "cleanup" in campaign.said()


@checks.statement
def cleanup_owed_after_a_kill_runs_at_the_next_start():
    hooks = {"setup": ["sh", "-c", "echo setup >> hooks.log"], "cleanup": ["sh", "-c", "echo cleanup >> hooks.log"]}
    with one(hooks=hooks) as campaign:
        campaign.payload("while [ ! -e /witness/go ]; do sleep 0.05; done")
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process)
        (campaign.folder / "witness/go").touch()
        campaign.up()
        told = (campaign.folder / "hooks.log").read_text().split()
        assert told == ["setup", "cleanup", "setup", "cleanup"], told
        campaign.assert_complete()


@checks.statement
def the_rest_of_a_gap_is_waited_after_a_kill():
    gap = 12
    with Campaign({"axes": {"size": [1, 2]}, "execution": {"cycles": 1, "config_gap_seconds": gap}}) as campaign:
        process = campaign.start_up()
        campaign.until("gap_started")
        time.sleep(4)  # a part of the gap passes
        campaign.signal(process)
        campaign.up()
        campaign.assert_complete()
        records = campaign.records()
        ended = [r for r in records if r["event"] == "completed"][0]["end"]
        begun = [r for r in records if r["event"] == "starting"][1]["utc"]
        assert gap - 0.5 < begun - ended < gap + 4, f"{begun - ended:.1f} s between the runs, the gap is {gap} s"


@checks.statement
def retries_end_and_a_failure_limit_pauses():
    execution = {"cycles": 3, "max_failures": 2, "skip_after_failures": 0, "retries": {"payload": 1}}
    with Campaign({"axes": {"size": [1]}, "execution": execution}) as campaign:
        campaign.payload("exit 4")
        text = campaign.up(expect=5)
        assert "max_failures" in text, text
        assert len(campaign.events("failed")) == 4
        campaign.assert_nothing_left()
        campaign.payload("true")
        campaign.up(expect=None)
        assert campaign.status()["runs_pending"] in (0, 1)


@checks.statement
def equal_failures_skip_the_rest():
    with Campaign({"axes": {"size": [1, 2]}, "execution": {"cycles": 4}}) as campaign:
        campaign.payload('[ "$CAMPAIGN_EXPERIMENT" = s2 ] || exit 3')
        campaign.up(expect=1)
        status = campaign.status()
        assert (status["runs_completed"], status["runs_failed"], status["runs_skipped"]) == (4, 2, 2), status


need_engine(checks.prefix)
checks.main()
