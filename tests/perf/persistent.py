"""Runs by exec in a container that stays against the engine's bare verbs, and a project of three services brought up and
taken down against the real docker compose."""

import os
import shutil
import subprocess
import time

from bench import IMAGE, LABEL, OURS, median

PROJECT = f"""
services:
  db:
    image: {IMAGE}
    command: [sh, -c, "touch /tmp/ready; exec sleep 1000"]
    stop_signal: SIGKILL
    labels: {{{LABEL}: "{OURS}"}}
    healthcheck: {{test: [CMD, test, -e, /tmp/ready], interval: 200ms, timeout: 5s}}
  init:
    image: {IMAGE}
    command: ["true"]
    labels: {{{LABEL}: "{OURS}"}}
    depends_on: {{db: {{condition: service_healthy}}}}
  web:
    image: {IMAGE}
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    labels: {{{LABEL}: "{OURS}"}}
    depends_on: {{init: {{condition: service_completed_successfully}}}}
"""


def docker_compose():
    """The command of the real one as a list, or None: a plugin, a program on the PATH, or the one that is named."""
    named = os.environ.get("COMPOSE_ORACLE")
    candidates = [[named]] if named else []
    candidates += [["docker", "compose"], ["docker-compose"]]
    for command in candidates:
        if not shutil.which(command[0]):
            continue
        said = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
        if said.returncode == 0 and said.stdout.strip().lstrip("v").startswith(("2.", "5.")):
            return command
    return None


def up_and_down(command, bench, name, up, down):
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    (folder / "compose.yaml").write_text(PROJECT)
    begin = time.perf_counter()
    for words in (up, down):
        subprocess.run([*command, "-p", f"cctl-perf-{OURS}-{name}", "-f", str(folder / "compose.yaml"), *words], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def projects(bench):
    rounds = 1 if bench.quick else 5
    other = docker_compose()
    if not other:
        bench.say("no docker compose 2.x to compare with: neither plugin, nor on the PATH, nor COMPOSE_ORACLE")
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(up_and_down([bench.program, "compose"], bench, f"ours{number}", ["up", "--wait"], ["down", "-v"]))
        if other:
            theirs.append(up_and_down(other, bench, f"theirs{number}", ["up", "-d"], ["down", "-v", "-t", "1"]))
    bench.row("compose up + down, 3 services, campaignctl", median(ours), "s")
    if theirs:
        bench.row("compose up + down, 3 services, docker compose", median(theirs), "s")
        bench.row("campaignctl / docker compose", median(ours) / median(theirs), "x", 1.0)
    bench.figures["compose_projects"] = {"ours": ours, "theirs": theirs}


def execs(bench):
    count, rounds = (5, 1) if bench.quick else (100, 5)
    folder = bench.folder / "execs"
    folder.mkdir()
    said = subprocess.run([bench.build / "tests" / "perf_execs", bench.build / "campaignctl-launch", folder, IMAGE, str(count),
                           str(rounds), OURS], stdout=subprocess.PIPE, text=True, check=True)
    rounds_ms = [tuple(map(float, line.split())) for line in said.stdout.splitlines()]
    bench.row("exec create + start + inspect, bare", median([bare for _, _, bare in rounds_ms]), "ms")
    for name, which in (("the engine has seen the last end", 0), ("the last outcome is there", 1)):
        bench.row(f"by exec, begun when {name}", median([row[which] for row in rounds_ms]), "ms")
        bench.row("  / bare exec, median of the rounds' ratios", median([row[which] / row[2] for row in rounds_ms]), "x", 1.15)
    bench.figures["execs"] = {"settled_unsettled_bare_ms": rounds_ms, "count": count}


def run(bench):
    if not bench.engine:
        return
    execs(bench)
    projects(bench)
