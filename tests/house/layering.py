#!/usr/bin/env python3
"""The arrows of docs/architecture.md, checked on every #include: folders, rooms inside folders, and what a header may pull in.

usage: layering.py ROOT    prints each include against the rules as file:line, exit 1 if there is one
"""
import re
import sys
from pathlib import Path

# A folder uses itself and these.
FOLDERS = {
    "controller": {"campaign", "container", "compose"},
    "compose": {"container"},
    "campaign": set(),
    "container": set(),
    "images": set(),
    "tests": {"controller", "campaign", "container", "compose"},
}

# Rooms of a folder from top to bottom: each uses only those after it. A room is a subfolder (`cli/`), a file without its
# ending (`errors`), or a family of files (`session*`).
ROOMS = {
    "controller": [
        ["main"],
        ["cli/"],
        ["session*", "preview", "down", "engine_watch", "compose_services"],
        ["recovery"],
        ["locate"],
        ["selector"],
        ["sequencer*", "draw"],
        ["stages/", "settle", "classify", "ledger", "stop"],
        ["thermal/"],
        ["runners/"],
        ["environment/"],
        ["telemetry/"],
        ["scheduler/"],
        ["attempt"],
        ["gpu/"],
        ["supervise/"],
        ["progress/"],
        ["process"],
        ["run_sync"],
        ["wake"],
        ["errors"],
    ],
    "campaign": [["report/"], ["results/"], ["metrics/"], ["statistics/"], ["state/"], ["plan/"], ["config/"]],
    "container": [
        ["launcher/"],
        ["ephemeral", "exec", "exec_witness", "image", "reaper", "gpu"],
        ["docker_engine*", "engine_session", "engine_streams"],
        ["http_client"],
        ["engine_json*"],
        ["folder_watch"],
        ["stream_demux"],
        ["endpoint"],
        ["engine", "engine_types"],
        ["execs", "networks", "volumes"],
        ["container_spec"],
        ["labels"],
        ["tar"],
        ["digest"],
        ["async"],
    ],
    "compose": [
        ["project*"],
        ["executor*"],
        ["reconcile*"],
        ["plan*", "observed*", "graph*"],
        ["desired"],
        ["service_spec"],
        ["labels"],
        ["loader/loader"],
        ["loader/assemble", "loader/select", "loader/normalise", "loader/check", "loader/decode*", "loader/print"],
        ["loader/canonical", "loader/complete"],
        ["loader/merge"],
        ["loader/fields*", "loader/shapes*"],
        ["loader/environment"],
        ["loader/yaml_reader", "loader/dotenv"],
        ["loader/interpolate", "loader/scalars", "loader/units", "loader/words", "loader/nearest", "loader/text_fault"],
        ["loader/node", "loader/source", "loader/request"],
        ["loader/diagnostic"],
        ["model"],
    ],
}
APART = "container/launcher/"  # a program of its own: uses nothing of ours, and nothing but tests uses it

MOST_INCLUDES = 6
HEAVY = re.compile(r"(boost/(?!asio/awaitable\.hpp$)|yaml-cpp/|CLI/|spdlog/|nlohmann/json\.hpp$)")
COSTLY = {"boost/beast": 1, "boost/process": 1, "CLI/": 1, "yaml-cpp/": 3}  # how many files may include each
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(folder, path):
    """The number of the room from the top, or None."""
    rest = path.split("/", 1)[1]
    stem = rest.rsplit(".", 1)[0]
    for number, members in enumerate(ROOMS[folder]):
        for member in members:
            if rest.startswith(member) if member.endswith("/") else (
                stem.startswith(member[:-1]) if member.endswith("*") else stem == member
            ):
                return number
    return None


def against_rooms(path, target):
    folder = path.split("/", 1)[0]
    if folder not in ROOMS or target.split("/", 1)[0] != folder:
        return None
    mine, other = room_of(folder, path), room_of(folder, target)
    if other is None:
        return f"{target} stands in no room"
    if mine is not None and other < mine:
        return f"{ROOMS[folder][mine][0]} lies below {ROOMS[folder][other][0]}"
    return None


def against_folders(path, target):
    folder, other = path.split("/", 1)[0], target.split("/", 1)[0]
    if other not in FOLDERS or "/" not in target:
        return None if folder == "images" else "write the path from the repository's root"
    if other != folder and other not in FOLDERS[folder]:
        return f"{folder} does not use {other}"
    if folder != "tests" and path.startswith(APART) != target.startswith(APART):
        return "the launcher stands apart"
    return None


def faults_of(path, root):
    header = path.endswith(".hpp")
    folder = path.split("/", 1)[0]
    if folder in ROOMS and room_of(folder, path) is None:
        yield 1, "stands in no room; name it in docs/architecture.md and here"
    count = 0
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        count += 1
        bracket, target = found.groups()
        if bracket == '"':
            fault = against_folders(path, target) or against_rooms(path, target)
            if fault:
                yield number, f"includes {target}: {fault}"
        elif header and folder != "tests" and HEAVY.match(target):
            yield number, f"a header includes <{target}>; move it to the .cpp"
        if header and count == MOST_INCLUDES + 1:
            yield number, f"a header with more than {MOST_INCLUDES} includes"


def too_costly(root, paths):
    for prefix, most in COSTLY.items():
        using = [p for p in paths if not p.startswith("tests/") and f"#include <{prefix}" in (root / p).read_text()]
        if len(using) > most:
            yield f"<{prefix}> costs seconds a file; {most} may include it, not {len(using)}: {', '.join(using)}"


def main():
    root = Path(sys.argv[1])
    paths = sorted(
        str(p.relative_to(root)) for f in FOLDERS for p in (root / f).rglob("*") if p.suffix in (".hpp", ".cpp")
    )
    faults = [f"{path}:{line}: {what}" for path in paths for line, what in faults_of(path, root)]
    faults += too_costly(root, paths)
    print("\n".join(faults) or f"{len(paths)} files keep the arrows")
    return 1 if faults or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
