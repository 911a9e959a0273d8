"""What a user does with a campaign: up again, resume from elsewhere, grow it, change it, retry, rerun, select."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import IMAGE, PATIENCE, PROGRAM, Campaign, docker, wait_for  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("campaigns")
SMALL = {"axes": {"size": [1, 2]}, "execution": {"cycles": 2}}
RUNS = ["s1.c01", "s1.c02", "s2.c01", "s2.c02"]


def ran(campaign, before=()):
    """The runs of which an attempt was started since `before`, a count of witness lines."""
    lines = campaign.witness()[before or 0 :]
    return sorted(run for run, _, what in lines if what == "start")


@checks.statement
def up_of_a_finished_session_does_nothing():
    with Campaign(SMALL) as campaign:
        campaign.up()
        campaign.assert_complete()
        figures, records = campaign.figures(), campaign.records()
        assert ran(campaign) == RUNS
        campaign.up()
        campaign.run("resume", campaign.name)
        campaign.assert_complete()
        assert campaign.figures() == figures
        assert campaign.records() == records, "a finished session was written to"


@checks.statement
def up_of_a_session_with_failures_ends_as_it_did():
    with Campaign(SMALL) as campaign:
        campaign.payload('[ "$CAMPAIGN_EXPERIMENT" = s1 ] || exit 3')
        campaign.up(expect=1)
        lines = len(campaign.witness())
        campaign.up(expect=1)
        assert len(campaign.witness()) == lines
        campaign.payload("true")
        campaign.up("--retry", "state=failed")
        assert sorted(set(ran(campaign, lines))) <= ["s2.c01", "s2.c02"]
        campaign.up("--retry", "state=skipped", expect=None)
        assert campaign.status()["runs_completed"] == 4


@checks.statement
def resume_from_another_folder_with_the_file_gone():
    with Campaign(SMALL) as campaign, tempfile.TemporaryDirectory() as elsewhere:
        campaign.payload("sleep 60 & wait $!")
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process)
        campaign.file.unlink()
        campaign.run("stop", "--now", campaign.name, cwd=elsewhere, expect=None)
        (campaign.folder / "witness/log").unlink()
        for identifier in docker(*campaign.listing(campaign.uids()[0])).split():
            docker("rm", "-f", identifier)
        campaign.payload("true")
        campaign.run("resume", campaign.name, cwd=elsewhere)
        status = campaign.json("status", campaign.name, "--runs", cwd=elsewhere)
        assert status["runs_completed"] == 4, status
        campaign.assert_nothing_left()


@checks.statement
def added_cycles_need_no_flag():
    with Campaign(SMALL) as campaign:
        campaign.up()
        lines = len(campaign.witness())
        campaign.write({"execution": {"cycles": 3}})
        campaign.up()
        assert ran(campaign, lines) == ["s1.c03", "s2.c03"]
        campaign.assert_complete()


@checks.statement
def added_experiment_needs_no_flag():
    with Campaign(SMALL) as campaign:
        campaign.up()
        lines = len(campaign.witness())
        campaign.write({"axes": {"size": [1, 2, 3]}})
        campaign.up()
        assert ran(campaign, lines) == ["s3.c01", "s3.c02"]
        campaign.assert_complete()


@checks.statement
def changed_experiment_is_refused_and_named():
    with Campaign(SMALL) as campaign:
        campaign.up()
        lines = len(campaign.witness())
        # One experiment of two changes, under the name it had.
        names = [{"name": "s1", "set": {"size": 1}}, {"name": "s2", "set": {"size": 2, "depth": 9}}]
        campaign.write({"axes": None, "name_template": None, "experiments": names})
        text = campaign.up(expect=2)
        assert "depth" in text and "--accept-changes" in text and "--new" in text, text
        assert len(campaign.witness()) == lines, "something ran"


@checks.statement
def changed_environment_is_refused_then_accepted():
    with Campaign(SMALL) as campaign:
        campaign.up()
        lines = len(campaign.witness())
        campaign.write({"runner": {"env": {"MODE": "fast"}}})
        text = campaign.up(expect=2)
        assert "env" in text, text
        assert len(campaign.witness()) == lines, "something ran"
        campaign.up("--accept-changes")
        assert ran(campaign, lines) == RUNS, "all experiments have changed"
        assert len(list((campaign.results() / "superseded").iterdir())) == 4
        campaign.assert_nothing_left()


@checks.statement
def new_session_over_a_finished_and_over_an_unfinished_one():
    with Campaign(SMALL) as campaign:
        campaign.up()
        campaign.up("--new")
        assert len(ran(campaign)) == 8
        campaign.payload("sleep 60 & wait $!")
        process = campaign.start_up("--new")
        campaign.until_payload(9)
        campaign.signal(process)
        assert campaign.containers()
        campaign.payload("true")
        campaign.up("--new", "--yes")
        campaign.assert_nothing_left()
        sessions = [p for p in (campaign.folder / ".state" / campaign.name).iterdir() if (p / "journal").is_dir()]
        assert len([p for p in sessions if not p.is_symlink()]) == 4
        assert campaign.status()["runs_completed"] == 4


@checks.statement
def changed_protocol_needs_consent():
    with Campaign(SMALL) as campaign:
        campaign.payload("sleep 1")
        process = campaign.start_up()
        campaign.until("completed")
        campaign.run("stop", campaign.name)
        assert campaign.ended(process) == 75
        done = len(campaign.events("completed"))
        campaign.write({"execution": {"config_gap_seconds": 0.2}})
        text = campaign.up(expect=2)
        assert "config_gap_seconds" in text, text
        campaign.up("--accept-changes")
        assert len(campaign.events("completed")) == 4 and done < 4
        campaign.assert_complete()


@checks.statement
def rerun_and_only():
    with Campaign(SMALL) as campaign:
        campaign.up("--only", "cycle=1")
        assert ran(campaign) == ["s1.c01", "s2.c01"]
        assert campaign.status()["runs_completed"] == 2
        campaign.up()
        campaign.assert_complete()
        lines = len(campaign.witness())
        campaign.up("--rerun", "s1.c02")
        assert ran(campaign, lines) == ["s1.c02"]
        assert [p.name for p in (campaign.results() / "superseded").iterdir()] == ["s1.c02.a1"]
        assert campaign.run_record("s1.c02")["attempt"] == 2
        campaign.assert_nothing_left()


@checks.statement
def pilot_only_is_never_a_result():
    with Campaign(SMALL) as campaign:
        campaign.up("--pilot-only")
        assert ran(campaign) == ["s1.p", "s2.p"], ran(campaign)
        assert not list((campaign.results() / "raw").iterdir())
        campaign.assert_nothing_left()
        campaign.up()
        assert ran(campaign) == sorted([*RUNS, "s1.p", "s2.p"])
        assert campaign.status()["runs_completed"] == 4


@checks.statement
def dry_run_plan_status_and_validate_change_nothing():
    def tree(folder):
        return sorted((str(p), p.lstat().st_mtime_ns) for p in folder.rglob("*") if p.name != "output.log")

    with Campaign(SMALL) as campaign:
        (campaign.folder / "output.log").touch()
        before = tree(campaign.folder)
        for command in (("plan", campaign.file), ("up", campaign.file, "--dry-run"), ("validate", campaign.file)):
            campaign.run(*command)
        assert tree(campaign.folder) == before
        campaign.up()
        before = tree(campaign.folder)
        for command in (("plan", campaign.file), ("up", campaign.file, "--dry-run"), ("status", campaign.name)):
            campaign.run(*command)
        assert tree(campaign.folder) == before


@checks.statement
def logs_follow_a_run_to_its_end():
    """What is printed while the run is under way is not printed again once its log has moved to the results."""
    task = 'echo first; until [ -e /witness/go ]; do sleep 0.05; done; echo second; echo third >&2'
    with Campaign(SMALL, task=task) as campaign:
        up = campaign.start_up()
        campaign.until_payload()
        run = campaign.witness()[0][0]
        output = campaign.folder / "followed"
        with open(output, "wb") as file:
            follower = subprocess.Popen(
                [PROGRAM, "logs", run, "--follow"], cwd=campaign.folder, env=campaign.environment(),
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            )
        try:
            wait_for("the first line", lambda: output.read_text() == "first\n")
            assert follower.poll() is None, "it ended while the run was under way"
            (campaign.folder / "witness/go").touch()
            assert follower.wait(PATIENCE) == 0
        finally:
            follower.kill()
            follower.wait()
        assert sorted(output.read_text().splitlines()) == ["first", "second", "third"]
        assert campaign.ended(up) == 0
        assert sorted(campaign.run("logs", run).splitlines()[1:]) == ["first", "second", "third"]


@checks.statement
def logs_of_a_run_that_has_not_begun_are_refused():
    with Campaign(SMALL) as campaign:
        campaign.up("--only", "cycle=1")
        assert "s1.c02 has not run yet" in campaign.run("logs", "s1.c02", "--follow", expect=2)


@checks.statement
def circumstances_are_those_before_the_run_also_of_one_that_is_adopted():
    with Campaign(SMALL, task="until [ -e /witness/go ]; do sleep 0.05; done") as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process)
        process = campaign.start_up()
        campaign.until("adopted")
        (campaign.folder / "witness/go").touch()
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        records = [campaign.run_record(run) for run in RUNS]
        assert any(record["resumed"] for record in records)
        for record in records:
            seen = record["environment"]
            assert seen["host"]["name"] == record["host"] and seen["host"]["memory_bytes"] > 2**20, seen
            assert seen["engine"]["version"] == record["engine_version"], seen
            assert seen["image"]["identity"] == record["image_identity"], seen
            assert seen["gpus"] == [] and "job" not in seen, seen
            facts = [fact for name, group in seen.items() if name != "gpus" for fact in group.values()]
            assert all(fact not in (0, "", None) for fact in facts if fact is not False), seen
            assert all(fact["unavailable"] for fact in facts if isinstance(fact, dict)), seen
            assert not any("environment has changed" in note for note in record["notes"]), record["notes"]


@checks.statement
def image_of_another_content_under_its_tag():
    tag = f"campaignctl/probe:changed-{os.getpid()}"
    with Campaign({**SMALL, "runner": {"image": tag}}) as campaign:
        docker("tag", IMAGE, tag)
        try:
            campaign.payload("sleep 60 & wait $!")
            process = campaign.start_up()
            campaign.until_payload()
            campaign.run("stop", "--now", campaign.name)
            assert campaign.ended(process) == 75
            subprocess.run(
                ["docker", "build", "-q", "-t", tag, "-"],
                input=f"FROM {IMAGE}\nENV CHANGED=1\n".encode(), check=True, capture_output=True, timeout=120,
            )
            text = campaign.up(expect=3)
            assert tag in text and "--new" in text, text
            docker("tag", IMAGE, tag)
            campaign.payload("true")
            campaign.up()
            campaign.assert_complete(starts=2)
        finally:
            docker("rmi", "-f", tag, check=False)


need_engine(checks.prefix)
checks.main()
