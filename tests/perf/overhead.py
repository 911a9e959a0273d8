"""Wall time per run of `true`: campaignctl against the bare engine and against the usual loops, alternated."""

import shutil
import subprocess
import time

from bench import IMAGE, LABEL, OURS, UnixConnection, container_body, containers, median, span_of_runs

DOCKER_RUN = ["docker", "run", "--rm", "--network", "none", "--init", "--label", f"{LABEL}={OURS}", IMAGE, "true"]


def start_and_wait(path, count):
    calls, waits = UnixConnection(path), UnixConnection(path)
    with containers(path, count) as ids:
        begin = time.perf_counter()
        for one in ids:
            waiting = waits.ask("POST", f"/containers/{one}/wait?condition=next-exit")
            calls.call("POST", f"/containers/{one}/start")
            waiting.read()
        return (time.perf_counter() - begin) / count


def serial(path, count):
    calls, waits = UnixConnection(path), UnixConnection(path)
    begin = time.perf_counter()
    for _ in range(count):
        one = calls.call("POST", "/containers/create", container_body())["Id"]
        waiting = waits.ask("POST", f"/containers/{one}/wait?condition=next-exit")
        calls.call("POST", f"/containers/{one}/start")
        waiting.read()
        calls.call("GET", f"/containers/{one}/json")
        calls.call("DELETE", f"/containers/{one}?v=1")
    return (time.perf_counter() - begin) / count


def docker_run_loop(count):
    begin = time.perf_counter()
    for _ in range(count):
        subprocess.run(DOCKER_RUN, check=True)
    return (time.perf_counter() - begin) / count


def gnu_parallel(count):
    begin = time.perf_counter()
    subprocess.run(["parallel", "--will-cite", "-j2", "-N0", *DOCKER_RUN, ":::", *map(str, range(count))], check=True)
    return (time.perf_counter() - begin) / count


def campaign_run(bench, name, count, overlap, workers):
    """Wall per run from the journal, wall per run of the whole command, CPU per run."""
    path = bench.docker_campaign(name, execution={"cycles": count, "overlap": overlap, "workers": workers})
    whole = bench.timed(bench.program, "-q", "up", path)[0]
    span, done = span_of_runs(path)
    if done != count:
        raise RuntimeError(f"{name}: {done} of {count} runs completed")
    return span / count, whole["wall"] / count, whole["cpu"] / count


def variants(bench, count):
    path = bench.engine

    def ours(overlap, workers):
        number = sum(1 for _ in bench.folder.glob("overhead-*"))
        return lambda: campaign_run(bench, f"overhead-{number}-{time.monotonic_ns()}", count, overlap, workers)

    table = {
        "start+wait, made beforehand": lambda: start_and_wait(path, count),
        "campaignctl always, 1 worker": ours("always", 1),
        "create+start+wait+inspect+remove": lambda: serial(path, count),
        "campaignctl gap, 1 worker": ours("gap", 1),
        "docker run --rm": lambda: docker_run_loop(count),
        "campaignctl always, 2 workers": ours("always", 2),
    }
    if shutil.which("parallel"):
        table["GNU parallel -j2 docker run --rm"] = lambda: gnu_parallel(count)
    return table


def measure(bench, count, rounds):
    table = variants(bench, count)
    seen = {name: [] for name in table}
    order = list(table)
    for number in range(rounds):
        shift = number % len(order)
        for name in order[shift:] + order[:shift]:
            seen[name].append(table[name]())
        bench.say(f"overhead round {number + 1}: " +
                  ", ".join(f"{name} {first(seen[name][-1]) * 1000:.1f} ms" for name in order))
    return seen


def first(value):
    return value[0] if isinstance(value, tuple) else value


def run(bench):
    count, rounds = (8, 1) if bench.quick else (50, 5)
    seen = measure(bench, count, rounds)
    middle = {name: median([first(value) for value in values]) for name, values in seen.items()}
    for name, value in middle.items():
        bench.row(f"{name}, per run", value * 1000, "ms")
        if name.startswith("campaignctl"):
            bench.row(f"{name}, whole command, per run", median([v[1] for v in seen[name]]) * 1000, "ms")

    def ratio(ours, other, limit):
        pairs = [first(a) / first(b) for a, b in zip(seen[ours], seen[other])]
        bench.row(f"{ours} / {other}", middle[ours] / middle[other], "x", limit,
                  f"round by round {min(pairs):.3f} to {max(pairs):.3f}, median {median(pairs):.3f}")

    ratio("campaignctl always, 1 worker", "start+wait, made beforehand", 1.05)
    ratio("campaignctl gap, 1 worker", "create+start+wait+inspect+remove", 1.03)
    ratio("campaignctl always, 1 worker", "docker run --rm", None)
    if "GNU parallel -j2 docker run --rm" in middle:
        ratio("campaignctl always, 2 workers", "GNU parallel -j2 docker run --rm", 1.0)
    bench.row("controller CPU per docker run, 1 worker, always",
              median([v[2] for v in seen["campaignctl always, 1 worker"]]) * 1000, "ms", 3)
    bench.figures["overhead"] = {"count": count, "rounds": rounds, "seconds": seen}
