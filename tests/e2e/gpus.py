"""Which GPUs runs get: out of the grant, to themselves, host-wide, over kills."""

import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import merged  # noqa: E402
from check import Checks  # noqa: E402
from gpu import GpuCampaign, device, lease_file, local, overlapping, uuid  # noqa: E402

checks = Checks("gpus")
ONE = {"axes": {"size": [1]}, "execution": {"cycles": 1}}
# Until the test lets it go on.
WAITS = "touch begun; until [ -e go ]; do sleep 0.05; done"


def campaign(changes=None, task="sleep 0.2", gpus=1, **options):
    return GpuCampaign(merged(merged(ONE, local(task, gpus=gpus)), changes or {}), **options)


def begun(one):
    one.wait("its payload", (one.folder / "begun").exists)


def go(one):
    (one.folder / "go").write_text("")


@checks.statement
def two_workers_never_share_a_device_and_take_turns():
    with campaign({"axes": {"size": [1, 2, 3, 4]}, "execution": {"cycles": 2, "workers": 2}}) as one:
        one.up()
        records = one.run_records()
        assert len(records) == 8 and all(r["state"] == "completed" for r in records)
        pairs = overlapping(records)
        assert pairs, "no two runs were under way at once"
        for first, second in pairs:
            assert not set(first["gpus"]) & set(second["gpus"]), (first["run"], second["run"])
        for size in range(1, 5):
            used = sorted(r["gpus"][0] for r in records if r["experiment"] == f"s{size}")
            assert used == [uuid(0), uuid(1)], used  # rotate: each device once
        claimed = {r["run"]: r["gpus"] for r in one.events("claimed")}
        assert all(claimed[r["run"]] == r["gpus"][0] for r in records), claimed


@checks.statement
def what_is_not_granted_is_refused_before_anything_starts():
    for granted, gpus, said, code in (
        ("", 1, "CUDA_VISIBLE_DEVICES is set and empty", 3),
        ("0", 2, "2 are more than there are", 2),
        ("0", {"ids": [1]}, "is not among", 2),
        (None, {"ids": ["GPU-nonsense"]}, "there is no GPU `GPU-nonsense`", 2),
    ):
        with campaign(gpus=gpus, granted=granted) as one:
            text = one.up(expect=code)
            assert said in text, text
            assert not (one.folder / ".state").exists() or not one.uids(), "a session was begun"


@checks.statement
def two_campaigns_on_one_host_never_share_a_device():
    pinned = {"ids": [0]}
    with campaign(task=WAITS, gpus=pinned, name="first") as first:
        with campaign({"gpus_wait": {"for": "1h"}, "gpus": "all"}, gpus=pinned, name="second") as second:
            first.start_up()
            begun(first)
            assert [worker["gpus"] for worker in first.status()["workers"]] == [[uuid(0)]]
            second.start_up()
            second.wait("its wait", lambda: "campaign first" in second.waits())
            assert second.status()["wait"]["stage"] == "claim"
            assert "waits: GPUs: " in second.run("status", second.name).split("worker", 1)[1]
            assert not second.events("claimed")
            go(first)
            assert first.ended(first.started[0]) == 0
            assert second.ended(second.started[0]) == 0, second.said()
            assert second.run_records()[0]["started_utc"] >= first.run_records()[0]["finished_utc"]


@checks.statement
def who_does_not_want_to_wait_fails_or_pauses_and_says_who_holds_it():
    retries = {"execution": {"retries": {"infra": 0}}}
    with campaign(task=WAITS, gpus=1, script=device(0), name="holder") as holder:
        holder.start_up()
        begun(holder)
        with campaign(merged(retries, {"gpus": "all"}), script=device(0), name="fails") as fails:
            text = fails.up(expect=1)
            assert "campaign holder" in text and "gpus_wait" in text, text
            assert fails.events("failed")[0]["class"] == "infra"
        with campaign(merged(retries, {"gpus": "all", "gpus_wait": {"then": "pause"}}), script=device(0),
                      name="pauses") as pauses:
            text = pauses.up(expect=5)
            assert "campaign holder" in text, text
            go(holder)
            assert holder.ended(holder.started[0]) == 0
            assert not pauses.events("claimed"), "a pause costs no attempt"
            pauses.run("resume", pauses.name)
            assert pauses.run_records()[0]["gpus"] == [uuid(0)]


@checks.statement
def auto_waits_for_what_others_hold_where_a_gpus_wait_is_written():
    held = {"gpus_wait": {"for": "1h"}}
    for script, gpus, count in ((device(0), 1, 1), (device(0) + device(1), 2, 2)):
        with campaign(task=WAITS, gpus={"ids": [0]}, script=script, name="holder") as holder:
            holder.start_up()
            begun(holder)
            with campaign(held, gpus=gpus, script=script, name="waits") as waits:
                waits.start_up()
                waits.wait("its wait", lambda: "campaign holder" in waits.waits())
                assert "auto: all of the grant" in waits.said() and "0: leased by" in waits.said(), waits.said()
                assert not waits.events("claimed")
                go(holder)
                assert holder.ended(holder.started[0]) == 0 and waits.ended(waits.started[0]) == 0, waits.said()
                assert len(waits.run_records()[0]["gpus"]) == count


@checks.statement
def auto_pauses_when_the_wait_is_over_and_without_one_says_what_to_write():
    with campaign(task=WAITS, gpus=1, script=device(0), name="holder") as holder:
        holder.start_up()
        begun(holder)
        with campaign({"gpus_wait": {"for": "1s", "then": "pause"}}, script=device(0), name="pauses") as pauses:
            text = pauses.up(expect=5)
            assert "campaign holder" in text, text
            assert not pauses.events("claimed"), "a pause costs no attempt"
        with campaign(script=device(0), name="refused") as refused:
            planned = refused.run("plan", refused.file)
            text = refused.up(expect=3)
            for words in ("s1: its runs ask", "campaign holder", "`gpus_wait: {for: 30m}`", "`gpus: all`", "`gpus: none`"):
                assert words in text and words in planned, (words, text, planned)
        go(holder)
        assert holder.ended(holder.started[0]) == 0


@checks.statement
def doctor_warns_of_a_route_that_nothing_speaks_for():
    with campaign() as one:
        text = one.run("doctor", expect=None)
        route = next(line for line in text.splitlines() if "gpu route" in line)
        doubtful = "neither a CDI name of these devices nor a runtime" in route
        assert route.startswith("warning" if doubtful else "ok"), text
        assert ("install the NVIDIA container toolkit" in text) == doubtful, text


@checks.statement
def auto_leaves_out_what_somebody_works_on():
    with campaign(script=device(0) + device(1) + "process 0 pid=999999999 memory=1000000\n") as one:
        text = one.up()
        assert "not 0: pid 999999999 holds it" in text, text
        assert one.run_records()[0]["gpus"] == [uuid(1)]


@checks.statement
def a_run_begins_once_the_memory_of_its_device_is_given_back():
    with campaign({"gpus": "all", "gpus_wait": {"for": "1h"}}, script=device(0, used=60000000000)) as one:
        one.start_up()
        one.wait("its wait", lambda: "of its memory are in use" in one.waits())
        one.script.write_text(device(0))
        assert one.ended(one.started[0]) == 0, one.said()


@checks.statement
def a_kill_and_a_resume_keep_the_device():
    with campaign(task="echo $$ > pid; " + WAITS, script=device(0), name="killed") as one:
        process = one.start_up()
        begun(one)
        process.send_signal(signal.SIGKILL)
        process.wait()
        # `auto` takes the device all the same: who works on it is our own run.
        payload = (one.folder / "pid").read_text().strip()
        one.script.write_text(device(0) + f"process 0 pid={payload} memory=60000000000\n")
        one.start("resume", one.name)
        one.until("adopted")
        one.wait("the lease", lambda: lease_file(0).exists() and f'"pid":{one.started[-1].pid}' in lease_file(0).read_text())
        go(one)
        assert one.ended(one.started[-1]) == 0, one.said()
        assert one.run_records()[0]["gpus"] == [uuid(0)]
        assert len(one.events("starting")) == 1


@checks.statement
def a_run_that_never_started_does_not_start_on_what_another_campaign_leases_by_now():
    pinned = {"ids": [0]}
    waits = {"gpus": "all", "gpus_wait": {"for": "1h"}}
    with campaign(waits, gpus=pinned, name="late") as late, campaign(task=WAITS, gpus=pinned, name="first") as first:
        late.up(kill="claimed:1:durable", expect=-9)
        first.start_up()
        begun(first)
        late.start("resume", late.name)
        late.wait("its wait", lambda: "campaign first" in late.waits())
        assert not late.events("starting") and late.events("released")
        go(first)
        assert first.ended(first.started[-1]) == 0 and late.ended(late.started[-1]) == 0, late.said()
        assert late.run_records()[0]["started_utc"] >= first.run_records()[0]["finished_utc"]


@checks.statement
def what_is_done_need_not_find_its_devices_any_more():
    axes = {"axes": {"gpus": [0, 1, 2]}, "name_template": "g{p.gpus}"}
    with campaign(axes, gpus=None) as one:
        one.up("--only", "g2*")
        one.script.write_text(device(0))  # the other one is gone
        one.run("resume", one.name, "--only", "g1*")
        text = one.run("resume", one.name, "--rerun", "g2*", expect=2)
        assert "g2: gpus: 2 are more than there are" in text, text
        one.script.write_text("")  # and so is this
        one.run("resume", one.name)
        had = {r["run"]: len(r["gpus"]) for r in one.run_records()}
        assert had == {"g0.c01": 0, "g1.c01": 1, "g2.c01": 2}, (had, one.said())


@checks.statement
def a_pilot_of_what_is_done_gets_its_device():
    with campaign({"axes": {"size": [1, 2]}}, task="echo $CUDA_VISIBLE_DEVICES >> seen") as one:
        one.up("--only", "s1*")
        one.up("--pilot-only")
        seen = (one.folder / "seen").read_text().splitlines()
        assert seen == [uuid(0)] * 3, seen


@checks.statement
def a_run_without_a_word_on_a_host_with_gpus_gets_none():
    with campaign(gpus=None) as one:
        one.up()
        assert one.run_records()[0].get("gpus", []) == []


@checks.statement
def a_record_has_its_gpu_as_the_driver_had_it_and_a_note_of_what_changed():
    two = {"execution": {"cycles": 2}}
    with campaign(two, script=device(0, set_limit=700000, persistence=1)) as one:
        one.up("--only", "cycle=1")
        one.script.write_text("driver 560.1\n" + device(0, set_limit=350000, persistence=1))
        one.up()
        before, after = (record["environment"]["gpus"][0] for record in one.run_records())
        assert (before["uuid"], before["power_limit_w"], before["persistence"]) == (uuid(0), 700, True), before
        assert before["name"] == "Stand-in H100" and "Not Supported" in before["ecc"]["unavailable"], before
        assert (after["power_limit_w"], after["driver_version"]) == (350, "560.1"), after
        first, second = (record["notes"] for record in one.run_records())
        assert not any("environment has changed" in note for note in first), first
        assert "the environment has changed: GPU 0 power_limit_w: 700 -> 350" in second, second
        assert any("GPU 0 driver_version: 550.54.15 -> 560.1" in note for note in second), second


checks.main()
