#!/usr/bin/env python3
"""Measures speed and size, prints a table, and writes build/perf.json. README.md beside it says what and how."""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import compose
import footprint
import overhead
import persistent
import scale
import telemetry
from bench import IMAGE, LABEL, OURS, Bench, UnixConnection, engine_socket

PARTS = {"overhead": overhead.run, "footprint": footprint.run, "scale": scale.run, "persistent": persistent.run,
         "compose": compose.run, "telemetry": telemetry.run}


def arguments():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=root / "build" / "release", help="a build folder (default: build/release)")
    parser.add_argument("--quick", action="store_true", help="a minute in all; the figures are rough")
    parser.add_argument("--out", default=root / "build" / "perf.json")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default all")
    chosen = parser.parse_args()
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {unknown[0]}")
    return chosen


def usable_engine():
    path = engine_socket()
    try:
        if path:
            UnixConnection(path).call("GET", f"/images/{IMAGE}/json")
            return path
    except (OSError, RuntimeError) as error:
        print(f"-- no measurements with containers: {error}", file=sys.stderr)
    return None


def machine():
    found = {"cpus": os.cpu_count(), "kernel": platform.release(), "load_before": os.getloadavg(),
             "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if engine_socket():
        found["engine"] = UnixConnection(engine_socket()).call("GET", "/version")["Version"]
    return found


def remove_leftovers():
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", f"label={LABEL}={OURS}"], stdout=subprocess.PIPE, text=True,
                            check=False)
    for one in listed.stdout.split():
        subprocess.run(["docker", "rm", "-f", one], stdout=subprocess.DEVNULL, check=False)


def main():
    chosen = arguments()
    engine = usable_engine()
    bench = Bench(chosen.build, chosen.quick, engine)
    seen = machine()
    try:
        for name in chosen.parts or PARTS:
            if name not in ("overhead", "persistent", "telemetry") or engine:
                PARTS[name](bench)
    finally:
        bench.close()
        if engine:
            remove_leftovers()
    seen["load_after"] = os.getloadavg()
    report = {"machine": seen, "quick": chosen.quick, "rows": bench.rows, "figures": bench.figures}
    pathlib.Path(chosen.out).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(chosen.out).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(bench.table())
    print(f"load before {seen['load_before'][0]:.2f}, after {seen['load_after'][0]:.2f}")


main()
