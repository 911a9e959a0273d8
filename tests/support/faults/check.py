"""Runs statements and prints `ok NAME`, `not ok NAME` or `skip NAME # reason`, as tests/run wants it."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback

WIDTH = int(os.environ.get("CAMPAIGNCTL_FAULTS_JOBS", "2"))  # statements at a time


class Skip(Exception):
    """A statement that cannot be tested here; the text says why."""


class Checks:
    """Statements are added with `add` or the decorator `statement`, and carried out by `main`."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.all = []
        self.failed = False
        self.printing = threading.Lock()

    def add(self, name, function):
        self.all.append((f"{self.prefix}.{name}", function))

    def statement(self, function):
        self.add(function.__name__, function)
        return function

    def carry_out(self, name, function):
        begin = time.monotonic()
        try:
            function()
            verdict, detail = f"ok {name}", ""
        except Skip as reason:
            verdict, detail = f"skip {name} # {reason}", ""
        except Exception:
            self.failed = True
            verdict, detail = f"not ok {name}", traceback.format_exc()
        with self.printing:
            print(f"{detail}# {time.monotonic() - begin:.1f} s\n{verdict}", flush=True)

    def main(self):
        pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else "")
        chosen = [entry for entry in self.all if pattern.search(entry[0])]
        with concurrent.futures.ThreadPoolExecutor(WIDTH) as pool:
            concurrent.futures.wait([pool.submit(self.carry_out, name, function) for name, function in chosen])
        sys.exit(1 if self.failed else 0)


def has_engine():
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def need_engine(prefix):
    """Ends the script where there is no engine; not where tests/run has said that there is one."""
    if os.environ.get("CAMPAIGNCTL_ENGINE") or has_engine():
        return
    print(f"skip {prefix} # no container engine is reachable")
    sys.exit(0)
