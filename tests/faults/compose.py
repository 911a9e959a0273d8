"""Runs as services of a compose file: one-offs and held containers, what they depend on, and every way in which that falls."""

import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/faults"))
from campaign import IMAGE, PROGRAM, docker, merged  # noqa: E402
from check import Checks, Skip, need_engine  # noqa: E402
from composed import ASK, DB, Composed  # noqa: E402
from engine import OwnEngine  # noqa: E402

checks = Checks("compose")
ORACLE = os.environ.get("COMPOSE_ORACLE")

# The shape of the main seed's file, on our image and without its GPU reservation.
SEED = """\
x-common: &common
  privileged: true
  environment:
    - PUID=${PUID:?PUID must be set}
    - PGID=${PGID:?PGID must be set}
    - HF_TOKEN
    - CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0}
    - LLM_ENERGY_RESULTS_DIR=/app/results
  working_dir: /app
  healthcheck: {test: ["CMD", "true"], interval: 1s, timeout: 5s, retries: 3}
  volumes:
    - ${LLM_ENERGY_RESULTS_DIR:-./app-results}:/app/results
    - ./payload:/app/scripts:ro
    - ./witness:/witness
    - hf-cache:/app/.cache/huggingface
services:
  base: {image: IMAGE, command: ["true"]}
  pytorch:
    <<: *common
    image: IMAGE
    build: {context: ., dockerfile: docker/Dockerfile.pytorch, target: runtime, args: {BASE_IMAGE: base}}
    depends_on: {base: {condition: service_completed_successfully}}
    entrypoint: [sh]
    command: []
  vllm: {<<: *common, image: IMAGE, ipc: host, entrypoint: [sh], command: []}
  pytorch-dev:
    extends: {service: pytorch}
    profiles: [dev]
volumes:
  hf-cache: {name: CACHE}
"""
BOTH = {"runner": {"strategy": ["ephemeral", "persistent"]}}
PERSISTENT = {"runner": {"strategy": "persistent"}}


def may_be_privileged():
    command = ["docker", "run", "--rm", "--privileged", IMAGE, "true"]
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


@checks.statement
def both_strategies_run_what_they_depend_on_once():
    with Composed(BOTH, name="both") as campaign:
        campaign.up()
        campaign.assert_complete()
        assert campaign.log_of("db") == "db is up\n", campaign.log_of("db")
        strategies = {r["run"]: campaign.run_record(r["run"])["strategy"] for r in campaign.events("completed")}
        assert sorted(strategies.values()) == ["ephemeral"] * 4 + ["persistent"] * 4, strategies


@checks.statement
def the_file_of_the_main_seed_runs():
    # Some engines may not start privileged containers: then a second file takes that key back.
    files = ["compose.yaml"] + ([] if may_be_privileged() else ["unprivileged.yaml"])
    cache = f"cctl-test-cache-{os.getpid()}"
    changes = {"axes": {"size": None, "backend": ["pytorch", "vllm"]}, "name_template": None,
               "container": {"compose_file": files},
               "runner": {"service": None, "command": ["/app/scripts/run.sh"], "env_compat": "lem", **BOTH["runner"]}}
    task = ('[ "$PUID" = 0 ] && [ "$PWD" = /app ] && echo kept > /app/.cache/huggingface/$CAMPAIGN_RUN_ID && '
            '[ "$LLM_ENERGY_RESULTS_DIR" = "$CAMPAIGN_RESULTS_DIR" ]')
    with Composed(changes, name="seed", task=task) as campaign:
        (campaign.folder / "compose.yaml").write_text(SEED.replace("IMAGE", IMAGE).replace("CACHE", cache))
        unprivileged = {"services": {name: {"privileged": False} for name in ("pytorch", "vllm")}}
        (campaign.folder / "unprivileged.yaml").write_text(json.dumps(unprivileged))
        said = campaign.up(expect=2)
        assert "PUID must be set" in said and "compose.yaml:" in said, said
        campaign.variables = {"PUID": "0", "PGID": "0"}
        try:
            campaign.up()
            campaign.assert_complete()
            assert docker("volume", "ls", "-q", "--filter", f"name={cache}").split() == [cache], "the cache is gone"
        finally:
            docker("volume", "rm", "-f", cache, check=False)


@checks.statement
def a_backend_without_a_runner_is_the_service_of_its_name():
    changes = {"axes": {"size": None, "backend": ["work"]}, "name_template": None, "runner": None}
    with Composed(changes, name="implicit") as campaign:
        campaign.up()
        assert [r["run"] for r in campaign.events("completed")] == ["work.c01", "work.c02"]
        campaign.assert_nothing_left()
        campaign.write({"axes": {"backend": ["wrok"]}})
        said = campaign.run("plan", campaign.file, expect=2)
        assert "no runner for backend `wrok`" in said, said
        campaign.write({"runner": {"type": "compose"}})
        said = campaign.run("plan", campaign.file, expect=2)
        assert "the compose file has no service `wrok`; did you mean `work`?" in said, said


@checks.statement
def docker_compose_works_on_a_persistent_one():
    if not ORACLE:
        raise Skip("no docker compose 2.x: COMPOSE_ORACLE is not set")
    changes = merged(PERSISTENT, {"axes": {"size": [1]}, "execution": {"cycles": 1}})
    with Composed(changes, name="real", task="while [ ! -e /witness/go ]; do sleep 0.1; done") as campaign:
        process = campaign.start_up()
        campaign.until_payload()

        def compose(*words):
            done = subprocess.run([ORACLE, "-p", campaign.project(), *words], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        rows = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]
        assert sorted(row["Service"] for row in rows) == ["db", "work"], rows
        assert "db is up" in compose("logs", "db")
        assert compose("exec", "-T", "work", "cat", "/flags/flag") == "set\n"
        (campaign.folder / "witness/go").touch()
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        campaign.assert_complete()


@checks.statement
def a_service_that_falls_during_a_run_is_infra_and_made_anew():
    for strategy in ("ephemeral", "persistent"):
        task = '[ "$CAMPAIGN_RUN_ID.$CAMPAIGN_ATTEMPT" != s1.c01.1 ] || sleep 60; ' + ASK
        changes = {"axes": {"size": [1]}, "runner": {"strategy": strategy}}
        with Composed(changes, name=f"fall-{strategy}"[:12], task=task) as campaign:
            process = campaign.start_up()
            campaign.until_payload()
            dead = campaign.service("db")
            docker("kill", dead)
            assert campaign.ended(process) == 0, campaign.said()[-2000:]
            campaign.assert_complete(starts=2)
            failures = campaign.failures()
            assert [f[:2] for f in failures] == [("s1.c01", "infra")], failures
            assert "db ended with exit code 137" in failures[0][2], failures
            assert campaign.log_of("db") == "db is up\n" * 2


@checks.statement
def one_that_falls_between_runs_is_there_for_the_next():
    changes = {"axes": {"size": [1]}, "execution": {"config_gap_seconds": 8}}
    with Composed(changes, name="between") as campaign:
        process = campaign.start_up()
        campaign.until("completed")
        docker("kill", campaign.service("db"))
        campaign.wait("another db", lambda: campaign.log_of("db") == "db is up\n" * 2)
        assert len(campaign.events("completed")) == 1, "it was not there again before the next run"
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        campaign.assert_complete()
        assert not campaign.failures()


@checks.statement
def a_run_waits_for_one_that_fell_in_its_gap():
    # The second db takes three seconds, longer than what is left of the gap.
    slow = '[ ! -e /witness/once ] || sleep 3; touch /witness/once; ' + DB
    services = {"db": {"command": ["sh", "-c", slow], "volumes": ["./witness:/witness"]}}
    changes = {"axes": {"size": [1]}, "execution": {"config_gap_seconds": 2}}
    with Composed(changes, services, name="gap") as campaign:
        process = campaign.start_up()
        campaign.until("gap_started")
        docker("kill", campaign.service("db"))
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        campaign.assert_complete()
        assert not campaign.failures(), campaign.failures()


@checks.statement
def one_that_falls_ends_the_runs_that_use_it_and_no_others():
    changes = {"axes": {"size": None, "backend": ["work", "alone"]}, "name_template": None,
               "execution": {"cycles": 1, "workers": 2},
               "runner": None, "runners": {name: {"service": name, "processes": 1} for name in ("work", "alone")}}
    alone = {"image": IMAGE, "command": ["sh", "/payload/run.sh"], "volumes": ["./payload:/payload:ro", "./witness:/witness"]}
    task = '[ "$CAMPAIGN_ATTEMPT" != 1 ] || sleep 4'
    with Composed(changes, {"alone": alone}, name="others", task=task) as campaign:
        process = campaign.start_up()
        campaign.until_payload(2)
        docker("kill", campaign.service("db"))
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        assert [f[:2] for f in campaign.failures()] == [("work.c01", "infra")], campaign.failures()
        campaign.assert_complete(starts=2)


@checks.statement
def one_that_may_not_be_made_anew_fails_what_needs_it():
    changes = {"axes": {"size": [1]}, "execution": {"cycles": 3, "retries": {"infra": 0}},
               "health_check": {"restart_on_failure": False}}
    with Composed(changes, name="once", task='[ "$CAMPAIGN_CYCLE" != 1 ] || sleep 60') as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        docker("kill", campaign.service("db"))
        assert campaign.ended(process) == 1, campaign.said()[-2000:]
        assert [f[1] for f in campaign.failures()] == ["infra"] * 3, campaign.failures()
        assert "health_check.restart_on_failure: false" in campaign.said(), campaign.said()[-2000:]
        campaign.assert_nothing_left()


@checks.statement
def what_others_still_use_is_left_with_a_word():
    with Composed({"axes": {"size": [1]}}, name="shared") as campaign:
        process = campaign.start_up()
        campaign.until("completed")
        network = f"{campaign.project()}_default"
        stranger = docker("run", "-d", "--network", network, IMAGE, "sleep", "600").strip()
        try:
            assert campaign.ended(process) == 0, campaign.said()[-2000:]
            assert campaign.status()["state"] == "finished"
            assert f"left on the engine: network {network}" in campaign.said(), campaign.said()[-2000:]
        finally:
            docker("rm", "-f", stranger)
        campaign.run("down", campaign.name)
        campaign.assert_nothing_left()


@checks.statement
def one_that_turns_unhealthy_is_made_anew():
    task = '[ "$CAMPAIGN_RUN_ID.$CAMPAIGN_ATTEMPT" != s1.c01.1 ] || sleep 60; ' + ASK
    services = {"db": {"healthcheck": {"retries": 1}}}
    with Composed({"axes": {"size": [1]}}, services, name="sick", task=task) as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        docker("exec", campaign.service("db"), "rm", "/tmp/up")
        assert campaign.ended(process) == 0, campaign.said()[-2000:]
        failures = campaign.failures()
        assert [f[:2] for f in failures] == [("s1.c01", "infra")] and "db is unhealthy" in failures[0][2], failures


@checks.statement
def one_that_falls_too_often_is_given_up():
    services = {"db": {"command": ["sh", "-c", "echo no room here; exit 3"]}}
    changes = {"axes": {"size": [1]}, "execution": {"cycles": 1, "retries": {"infra": 0}},
               "health_check": {"max_restarts": 1}}
    with Composed(changes, services, name="never") as campaign:
        said = campaign.up(expect=1)
        assert "it has ended with 3" in said and "no room here" in said, said[-2000:]
        assert [f[1] for f in campaign.failures()] == ["infra"], campaign.failures()
        campaign.assert_nothing_left()


@checks.statement
def killed_in_a_run_it_is_taken_up_with_what_it_depends_on():
    for strategy in ("ephemeral", "persistent"):
        task = "while [ ! -e /witness/go ]; do sleep 0.1; done; " + ASK
        with Composed({"runner": {"strategy": strategy}}, name=f"kill-{strategy}"[:12], task=task) as campaign:
            process = campaign.start_up()
            campaign.until_payload()
            before = campaign.service("db")
            campaign.signal(process)
            process = campaign.start_up()
            campaign.until("adopted")
            (campaign.folder / "witness/go").touch()
            campaign.until("completed")
            assert campaign.service("db") == before, "what an adopted run depends on was made anew"
            assert campaign.ended(process) == 0, campaign.said()[-2000:]
            campaign.assert_complete()


@checks.statement
def killed_while_it_comes_up_nothing_is_left_by_the_next():
    services = {"db": {"command": ["sh", "-c", "while [ ! -e /witness/go ]; do sleep 0.1; done; " + DB],
                       "volumes": ["./witness:/witness"]}}
    with Composed({}, services, name="early") as campaign:
        process = campaign.start_up()
        campaign.wait("db", lambda: campaign.service("db", check=False))
        campaign.signal(process)
        (campaign.folder / "witness/go").touch()
        campaign.up()
        campaign.assert_complete()


@checks.statement
def a_signal_while_it_comes_up_takes_everything_down():
    services = {"db": {"command": ["sleep", "600"]}}
    with Composed({}, services, name="term") as campaign:
        process = campaign.start_up()
        campaign.wait("db", lambda: campaign.service("db", check=False))
        code = campaign.signal(process, signal.SIGTERM)
        assert code == 143, campaign.said()[-2000:]
        campaign.assert_nothing_left()


@checks.statement
def a_changed_compose_file_is_a_changed_plan():
    with Composed({"axes": {"size": [1]}}, name="changed") as campaign:
        campaign.up()
        campaign.compose_file({"services": {"db": {"environment": {"DEPTH": "2"}}}})
        said = campaign.up(expect=2)
        assert "runner.services.db.environment.DEPTH: unset -> 2" in said, said
        campaign.up("--accept-changes")
        assert len(campaign.events("superseded")) == 2, campaign.events("superseded")
        assert campaign.log_of("db") == "db is up\n" * 2


@checks.statement
def resume_refuses_a_changed_compose_file():
    with Composed({"axes": {"size": [1]}}, name="resumed", task="sleep 60") as campaign:
        process = campaign.start_up()
        campaign.until_payload()
        campaign.signal(process, signal.SIGINT)
        campaign.compose_file({"services": {"work": {"environment": {"FROM_FILE": "no"}}}})
        said = campaign.run("resume", campaign.name, expect=2)
        assert "service work" in said and "FROM_FILE: yes -> no" in said and "--accept-changes" in said, said
        campaign.compose_file({"services": {"work": {"environment": {"FROM_FILE": "yes"}}}})
        campaign.payload(ASK)
        campaign.run("resume", campaign.name)
        campaign.assert_complete(starts=2)


@checks.statement
def secrets_of_the_environment_stay_out_of_every_file():
    with Composed({"axes": {"size": [1]}}, name="secret", task='[ "$API_TOKEN" = cctl-very-secret ]') as campaign:
        campaign.variables = {"API_TOKEN": "cctl-very-secret"}
        campaign.up()
        campaign.assert_complete()
        for place in (".state", "results"):
            for path in (campaign.folder / place).rglob("*"):
                assert not path.is_file() or b"very-secret" not in path.read_bytes(), path


@checks.statement
def a_server_and_its_client_are_services():
    serve = 'mkdir -p /tmp/w; echo "$$GREETING" > /tmp/w/hello; exec httpd -f -p 8000 -h /tmp/w'
    engine = {"image": IMAGE, "command": ["sh", "-c", serve], "environment": {"GREETING": "hello"}, "depends_on": ["db"]}
    task = 'wget -q -O "$CAMPAIGN_RESULTS_DIR/hello" http://server:8000/hello && ' + ASK
    server = {"service": "engine", "ready": {"http": ":8000/hello", "timeout": "20s"}, "reuse": "while_same"}
    for strategy in ("ephemeral", "persistent"):
        changes = {"runner": {"strategy": strategy, "server": server}}
        with Composed(changes, {"engine": engine}, name=f"srv-{strategy}"[:12], task=task) as campaign:
            campaign.up()
            campaign.assert_complete()
            answers = {p.read_text() for p in campaign.results().glob("raw/*/hello")}
            assert answers == {"hello\n"}, answers
            folders = list(campaign.results().glob("ctl/*/server/outcome.json"))
            assert len(folders) == 1, f"the server was not kept: {folders}"


@checks.statement
def two_campaigns_of_one_file_do_not_meet():
    task = "while [ ! -e /witness/go ]; do sleep 0.1; done; " + ASK
    with Composed(BOTH, name="one", task=task) as one, Composed(BOTH, name="two") as two:
        process = one.start_up()
        one.until_payload()
        before = one.containers()
        two.up()
        two.assert_complete()
        assert one.containers() == before, "a neighbour's containers were touched"
        (one.folder / "witness/go").touch()
        assert one.ended(process) == 0, one.said()[-2000:]
        one.assert_complete()


@checks.statement
def a_project_of_somebody_else_is_refused_and_left_alone():
    name = f"cctl-test-{os.getpid()}"
    with Composed({"container": {"project_name": name}}, name="foreign") as campaign:
        def compose(*words):
            subprocess.run([PROGRAM, "compose", "-p", name, "-f", campaign.folder / "compose.yaml", *words],
                           check=True, capture_output=True, timeout=120)

        compose("up", "db")
        try:
            there = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={name}")
            said = campaign.up(expect=3)
            assert name in said and "not this project's" in said, said
            assert docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={name}") == there
        finally:
            compose("down", "-v", "--remove-orphans")


@checks.statement
def an_image_that_is_to_be_built_is_not_pulled():
    with Composed(services={"work": {"image": "campaignctl-not-built:1", "build": "."}}, name="unbuilt") as campaign:
        said = campaign.up(expect=3)
        assert "campaignctl-not-built:1 is not on the engine: build it: docker build -t" in said, said
        assert "pulling" not in said, said


@checks.statement
def workers_share_what_they_depend_on():
    with Composed(merged(BOTH, {"execution": {"workers": 2}}), name="workers") as campaign:
        campaign.up()
        campaign.assert_complete()
        assert campaign.log_of("db") == "db is up\n", campaign.log_of("db")


@checks.statement
def a_fixed_address_belongs_to_the_one_worker_that_there_is():
    lan = {"networks": {"lan": {"ipam": {"config": [{"subnet": "10.214.7.0/24"}]}}}}
    services = {"work": {"networks": {"lan": {"ipv4_address": "10.214.7.9"}}}, "db": {"networks": ["lan"]}}
    for workers, runner, has_it in ((1, {}, True), (1, PERSISTENT, True), (2, {}, False), (2, PERSISTENT, False), (1, BOTH, False)):
        changes = merged(runner, {"execution": {"workers": workers}})
        with Composed(changes, services, name=f"address{workers}", task=f"{ASK} && hostname -i") as campaign:
            campaign.compose_file(lan)
            campaign.up()
            campaign.assert_complete()
            for record in campaign.events("completed"):
                out = (campaign.results() / "raw" / record["run"] / "stdout.log").read_text().split()
                assert len(out) == 1 and out[0].startswith("10.214.7."), (workers, record["run"], out)
                assert (out == ["10.214.7.9"]) == has_it, (workers, record["run"], out)


@checks.statement
def an_engine_that_is_killed_loses_nothing():
    changes = merged(PERSISTENT, {"execution": {"retries": {"infra": 3, "backoff_seconds": 0.5}}})
    with OwnEngine() as engine, Composed(changes, name="engine", host=engine.host, task="sleep 1.5; " + ASK) as campaign:
        process = campaign.start_up()
        campaign.until("completed")
        campaign.until_payload(2)
        engine.stop(signal.SIGKILL)
        engine.start()
        code = campaign.ended(process)
        assert code == 0, f"exit code {code}:\n{campaign.said()[-3000:]}"
        campaign.assert_complete(starts=2)


need_engine(checks.prefix)
checks.main()
