"""A server beside each run: ready by every kind of check, both logs, every failure of either side classed and cleaned up."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import Campaign, docker, merged  # noqa: E402
from check import Checks, need_engine  # noqa: E402

checks = Checks("server")
# busybox's httpd, with a page that names the server's own run.
SERVE = (
    'echo started; mkdir -p /tmp/www; echo "$CAMPAIGN_RUN_ID" > /tmp/www/run; '
    "echo ready; exec httpd -f -p 8000 -h /tmp/www"
)
ASK = 'wget -q -O "$CAMPAIGN_RESULTS_DIR/answer" http://server:8000/run'
BASE = {
    "axes": {"size": [1, 2]},
    "execution": {"cycles": 1},
    "runner": {
        "network": None,
        "tmpfs": ["/tmp"],
        "server": {"command": ["sh", "-c", SERVE], "ready": {"http": ":8000/run", "timeout": "20s"}},
    },
}


def made(task=ASK, **changes):
    return Campaign(merged(BASE, changes), task=task)


def with_server(**server):
    return {"runner": {"server": server}}


def answers(campaign):
    return {p.parent.name: p.read_text().strip() for p in campaign.results().glob("raw/*/answer")}


def failed(campaign):
    found = {}
    for path in sorted(campaign.results().glob("attempts/*/run.json")):
        record = json.loads(path.read_text())
        found[record["run"]] = record
    return found


def ready_by(**ready):
    with made(**with_server(ready={"http": None, "timeout": "20s", **ready})) as campaign:
        campaign.up()
        campaign.assert_complete()
        assert answers(campaign) == {"s1.c01": "s1.c01", "s2.c01": "s2.c01"}, answers(campaign)
        record = json.loads((campaign.results() / "raw/s1.c01/run.json").read_text())
        assert record["stages"]["ready"] > 0, record["stages"]
        assert "ready" in (campaign.results() / "raw/s1.c01/server.stdout.log").read_text()


for name, check in {
    "http": {"http": ":8000/run"},
    "tcp": {"tcp": ":8000"},
    "exec": {"exec": ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/run"]},
}.items():
    checks.add(f"ready_by_{name}", lambda c=check: ready_by(**c))


@checks.statement
def ready_by_a_line_of_its_log():
    late = "sleep 1; " + SERVE.replace("echo ready; exec httpd", "(sleep 0.5; echo ready) & exec httpd")
    with made(**with_server(command=["sh", "-c", late], ready={"http": None, "log": "^ready$"})) as campaign:
        campaign.up()
        campaign.assert_complete()
        assert len(answers(campaign)) == 2


@checks.statement
def with_a_persistent_client():
    with made(runner={"strategy": "persistent"}) as campaign:
        campaign.up()
        campaign.assert_complete()
        assert answers(campaign) == {"s1.c01": "s1.c01", "s2.c01": "s2.c01"}


@checks.statement
def one_that_never_becomes_ready_has_a_deadline_and_tells_its_last_lines():
    server = with_server(command=["sh", "-c", "echo loading the model; exec sleep 600"],
                         ready={"http": ":8000/", "timeout": "2s"})
    with made(**merged(server, {"execution": {"retries": {"infra": 0}}})) as campaign:
        text = campaign.up(expect=1)
        assert "was not ready after 2 s" in text and "loading the model" in text, text[-2000:]
        assert "server.ready.http: 127.0.0.1:8000 is not ready: Connection refused" in text, text[-2000:]
        records = failed(campaign)
        assert {r["class"] for r in records.values()} == {"infra"}, records
        log = campaign.results() / "attempts/s1.c01.a1/server.stdout.log"
        assert "loading the model" in log.read_text()
        assert not campaign.witness()
        campaign.assert_nothing_left()


def waits_in_vain(expected, **ready):
    serving = with_server(ready={"http": None, "timeout": "3s", **ready})
    with made(axes={"size": [1]}, **merged(serving, {"execution": {"retries": {"infra": 0}}})) as campaign:
        text = campaign.up(expect=1)
        assert expected in text, text[-2000:]
        campaign.assert_nothing_left()


for name, (expected, check) in {
    "status": ("server.ready.http: 127.0.0.1:8000 is not ready: the answer is HTTP/1.1 404", {"http": ":8000/nosuch"}),
    "code": ("server.ready.exec ended with exit code 3: not yet", {"exec": ["sh", "-c", "echo not yet; exit 3"]}),
    "command": ("nosuchcheck", {"exec": ["nosuchcheck"]}),
    "log": ("is like '^never$' (server.ready.log)", {"log": "^never$"}),
}.items():
    checks.add(f"one_that_is_not_ready_is_told_with_what_was_seen_{name}",
               lambda e=expected, c=check: waits_in_vain(e, **c))


def cannot_be_executed(**server):
    with made("sleep 60 & wait $!", **with_server(command=["nosuchserver"], **server)) as campaign:
        text = campaign.up(expect=1)
        assert "No such file or directory: nosuchserver" in text, text[-2000:]
        records = failed(campaign)
        assert {r["class"] for r in records.values()} == {"config"}, records
        campaign.assert_nothing_left()


checks.add("one_that_cannot_be_executed_is_a_mistake_in_the_file", cannot_be_executed)
checks.add("one_that_cannot_be_executed_and_is_not_asked_is_one_too", lambda: cannot_be_executed(ready=None))


@checks.statement
def one_that_ends_before_it_is_ready_is_a_failure_of_the_payload():
    with made(**with_server(command=["sh", "-c", "echo no such model >&2; exit 3"])) as campaign:
        text = campaign.up(expect=1)
        assert "exit code 3" in text and "no such model" in text, text[-2000:]
        assert {r["class"] for r in failed(campaign).values()} == {"payload"}
        campaign.assert_nothing_left()


def dies_in_the_window(how, cls):
    server = SERVE.replace("exec httpd", f"({how}) & exec httpd")
    changes = merged(with_server(command=["sh", "-c", server]), {"execution": {"retries": {"infra": 0}}})
    with made("sleep 60 & wait $!", axes={"size": [1]}, **changes) as campaign:
        campaign.up(expect=1)
        record = failed(campaign)["s1.c01"]
        assert record["class"] == cls and "its server" in record["message"], record
        assert record["duration"] < 30, "the client was not stopped"
        campaign.assert_nothing_left()


checks.add("one_that_is_killed_in_the_window_is_infra",
           lambda: dies_in_the_window("sleep 2; kill -9 $$$$", "infra"))


@checks.statement
def one_that_exits_in_the_window_is_a_failure_of_the_payload():
    server = SERVE.replace("exec httpd -f", "httpd") + "; sleep 2; echo all gone >&2; exit 4"
    changes = with_server(command=["sh", "-c", server])
    with made("sleep 60 & wait $!", axes={"size": [1]}, **changes) as campaign:
        campaign.up(expect=1)
        record = failed(campaign)["s1.c01"]
        assert record["class"] == "payload" and "exit code 4" in record["message"], record
        assert "its last lines: all gone" in record["message"], record
        campaign.assert_nothing_left()


@checks.statement
def one_that_somebody_removes_is_infra():
    changes = {"execution": {"retries": {"infra": 0}}}
    with made("sleep 60 & wait $!", axes={"size": [1]}, **changes) as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        name = f"{campaign.uids()[0][:8]}-s1.c01-a1-server"
        docker("rm", "-f", f"cctl-{name}")
        assert campaign.ended(process) == 1
        assert failed(campaign)["s1.c01"]["class"] == "infra"
        campaign.assert_nothing_left()


@checks.statement
def a_failing_client_is_the_clients_failure():
    with made("echo cannot >&2; exit 6", axes={"size": [1]}) as campaign:
        campaign.up(expect=1)
        record = failed(campaign)["s1.c01"]
        assert record["class"] == "payload" and record["exit_code"] == 6, record
        campaign.assert_nothing_left()


@checks.statement
def while_same_keeps_it_and_each_run_has_its_part_of_the_log():
    server = {"command": ["sh", "-c", SERVE.replace("httpd -f", "httpd -f -vv")], "reuse": "while_same"}
    with made(execution={"cycles": 2}, **with_server(**server)) as campaign:
        campaign.up()
        campaign.assert_complete()
        found = answers(campaign)
        assert len(found) == 4 and len(set(found.values())) == 1, found
        first = set(found.values()).pop()
        logs = {p.parent.name: p.read_text() for p in campaign.results().glob("raw/*/server.stdout.log")}
        assert "started" in logs[first], logs
        assert all("started" not in text for run, text in logs.items() if run != first), logs


@checks.statement
def while_same_makes_another_where_the_next_runs_is_another():
    server = {"command": ["sh", "-c", "SIZE={p.size}; " + SERVE], "reuse": "while_same"}
    with made(execution={"cycles": 1}, **with_server(**server)) as campaign:
        campaign.up()
        campaign.assert_complete()
        assert answers(campaign) == {"s1.c01": "s1.c01", "s2.c01": "s2.c01"}


@checks.statement
def workers_have_networks_of_their_own():
    changes = {"axes": {"size": [1, 2, 3, 4]}, "execution": {"workers": 2}}
    with made(f"{ASK}; sleep 0.5", **changes) as campaign:
        campaign.up()
        campaign.assert_complete()
        found = answers(campaign)
        assert all(run == answer for run, answer in found.items()) and len(found) == 4, found


@checks.statement
def ports_are_published():
    server = {"ports": ["127.0.0.1:18765:8000"]}
    with made("sleep 3", axes={"size": [1]}, **with_server(**server)) as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        import urllib.request

        with urllib.request.urlopen("http://127.0.0.1:18765/run", timeout=10) as answer:
            assert answer.read().strip() == b"s1.c01"
        assert campaign.ended(process) == 0


need_engine(checks.prefix)
checks.main()
