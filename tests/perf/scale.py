"""A plan of 100,000 runs: plan, status and resume against sessions made for the purpose."""

import shutil
import time

from bench import instant, journal, median

STALE = 9_999  # a snapshot is taken each 10,000 records, so a killed controller leaves at most that many behind it


def big(bench, name, cycles):
    return bench.campaign(name, axes={"n": list(range(10))}, execution={"cycles": cycles})


def folder_of(path):
    return next((path.parent / ".state").glob("*/2*"))


def once(bench, what, limit, *command):
    """A row for wall time and one for memory; median of a few."""
    times = bench.timed(bench.program, *command, count=1 if bench.quick else 5)
    bench.row(what, median([t["wall"] for t in times]), "s", limit)
    bench.row(f"{what}, peak memory", max(t["rss_mb"] for t in times), "MB", 200)


def start_of_resume(bench, path, label, limit):
    """From the start of `resume` to its `claimed` record; the session is put back afterwards, and run again."""
    session, starts, peaks = folder_of(path), [], []
    kept = bench.folder / "kept"
    shutil.copytree(session, kept, ignore=shutil.ignore_patterns("campaign_manifest*"), symlinks=True)
    for _ in range(1 if bench.quick else 3):
        begin = time.time()
        used = bench.timed(bench.program, "-q", "resume", path)[0]
        claimed = [record for record in journal(path) if record["event"] == "claimed"][-1]
        starts.append(instant(claimed) - begin)
        peaks.append(used["rss_mb"])
        put_back(kept, session)
    shutil.rmtree(kept)
    bench.row(f"resume to `claimed`, {label}", median(starts), "s", limit)
    bench.row(f"resume of one run, {label}, peak memory", max(peaks), "MB", 200)


def put_back(kept, session):
    for name in ("journal", "snapshot.json", "heartbeat", "control"):
        target = session / name
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        if (kept / name).is_dir():
            shutil.copytree(kept / name, target)
        elif (kept / name).exists():
            shutil.copy2(kept / name, target)
    for folder in session.parent.parent.parent.glob("results/*/*"):
        for part in ("raw", "attempts", "ctl", "accepting"):
            shutil.rmtree(folder / part, ignore_errors=True)
            (folder / part).mkdir(mode=0o700, exist_ok=True)


def run(bench):
    cycles = 1000 if bench.quick else 10_000
    total = 10 * cycles
    once(bench, f"plan of {total} runs, new", 2, "plan", big(bench, "fresh", cycles))
    done = big(bench, "done", cycles)
    made = bench.fabricate(done)
    bench.say(f"made a session of {made['records']} records")
    for at, micros in made["append_us"].items():
        bench.row(f"append and fold of one record at {at}", micros, "us")
    once(bench, f"plan of {total} runs, all completed", 2, "plan", done)
    once(bench, f"status, {total} runs completed", 0.5, "status", done)
    once(bench, f"resume, {total} runs completed and finished", 1, "resume", done)
    once(bench, f"up, {total} runs completed and finished", None, "up", done)
    shutil.rmtree(done.parent)

    half = big(bench, "open", cycles)
    bench.fabricate(half, "--open", "--stale", str(STALE))
    once(bench, f"status, {total} runs, one is open, stale snapshot", 0.5, "status", half)
    start_of_resume(bench, half, "stale snapshot", 1)
    (folder_of(half) / "snapshot.json").unlink()
    once(bench, f"status, {total} runs, one is open, no snapshot", None, "status", half)
    start_of_resume(bench, half, "no snapshot", None)
    shutil.rmtree(half.parent)
