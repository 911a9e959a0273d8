#!/usr/bin/env python3
"""`compose config` of ours beside that of docker compose 2.x, on the folders of tests/data/compose/config.

usage: compose_config.py CAMPAIGNCTL DOCKER_COMPOSE    prints `ok NAME` or `not ok NAME # reason` a case

A case is a folder with its files; `args` may have lines `args: OPTIONS`, `env: NAME=value ...`, `select: SERVICE...`,
`folder: WHERE TO STAND`, `needs: VERSION` of docker compose.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = Path(__file__).parent.parent / "data" / "compose" / "config"
# Keys that are printed although they say nothing, by one of the two or by their YAML but not their JSON.
EMPTY = ("command", "entrypoint", "ipam", "placement", "resources", "volume", "bind", "tmpfs", "create_host_path")


def settings(case):
    said = {"args": [], "env": [], "select": [], "folder": ["."], "needs": ["2.0"]}
    if (case / "args").exists():
        for line in (case / "args").read_text().splitlines():
            key, values = line.split(":", 1)
            said[key] = values.split()
    return said


def environment(pairs):
    return {"PATH": os.environ["PATH"], "HOME": "/home/me", **dict(pair.split("=", 1) for pair in pairs)}


def printed(command, folder, env):
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        return None, done.stderr.strip()
    return json.loads(done.stdout), done.stderr.strip()


def plain(value, key="", depth=0):
    """Without what is empty, and with what one of the two prints as text and the other as a number."""
    if isinstance(value, dict):
        kept = {}
        for name, part in value.items():
            if depth and name.startswith("x-"):
                continue  # docker compose prints these in YAML only
            name = name.lower() if name in ("Path", "Rate", "Weight") else name
            part = plain(part, name, depth + 1)
            if name in EMPTY and part in (None, {}, False) or name in ("soft", "hard") and part == "0":
                continue
            if key in ("networks", "volumes") and part is None:
                part = {}
            kept[name] = part
        return kept
    if isinstance(value, list):
        return sorted((plain(part, depth=depth) for part in value), key=repr) if key == "extra_hosts" else [plain(p, depth=depth) for p in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if value != int(value) else str(int(value))
    return value


def differences(ours, theirs, path=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            at = f"{path}.{key}" if path else key
            if key not in ours:
                yield f"{at}: missing, theirs {theirs[key]!r}"
            elif key not in theirs:
                yield f"{at}: only ours {ours[key]!r}"
            else:
                yield from differences(ours[key], theirs[key], at)
    elif ours != theirs:
        yield f"{path}: ours {ours!r}, theirs {theirs!r}"


def compare(case, campaignctl, oracle):
    said = settings(case)
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / case.name
        shutil.copytree(case, folder)
        (folder / "args").unlink(missing_ok=True)
        where, env = folder / said["folder"][0], environment(said["env"])
        ours, our_words = printed(
            [campaignctl, "compose", *said["args"], "config", "--format", "json", *said["select"]], where, env)
        theirs, their_words = printed([oracle, *said["args"], "config", "--format", "json", *said["select"]], where, env)
    if theirs is None:
        return [f"docker compose refused it: {their_words}"]
    if ours is None:
        return [our_words]
    return list(differences(plain(ours), plain(theirs)))


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)][:2]


def main():
    campaignctl, oracle = sys.argv[1:3]
    chosen = sys.argv[3:]
    version = subprocess.run([oracle, "version", "--short"], capture_output=True, text=True, timeout=60).stdout.strip()
    print(f"beside docker compose {version}")
    failed = 0
    for case in sorted(CASES.iterdir()):
        if chosen and case.name not in chosen:
            continue
        needs = settings(case)["needs"][0]
        if numbers(version) < numbers(needs):
            print(f"skip compose.config.{case.name} # docker compose {version} is older than {needs}")
            continue
        found = compare(case, campaignctl, oracle)
        failed += bool(found)
        print(f"not ok compose.config.{case.name} # {len(found)} differences" if found else f"ok compose.config.{case.name}")
        for line in found:
            print("   ", line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
