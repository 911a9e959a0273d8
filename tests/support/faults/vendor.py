"""Stand-ins for what a vendor of GPUs installs beside an engine. Their GPUs are two: GPU-a is /dev/nvidia0, GPU-b
/dev/nvidia1 with the MIG instance MIG-b0; each device file is /dev/null. GPU-broken is one that the hook cannot find."""

import json
import sys

_COMMON = f"""#!{sys.executable}
import json, os, pathlib, subprocess, sys
FILES = {{"GPU-a": 0, "0": 0, "GPU-b": 1, "1": 1, "MIG-b0": 1}}

def wanted(config):
    environment = dict(line.split("=", 1) for line in config["process"]["env"] if "=" in line)
    names = environment.get("NVIDIA_VISIBLE_DEVICES", "void").split(",")
    if "GPU-broken" in names:
        sys.exit("nvidia-container-cli: device error: GPU-broken: unknown device")
    names = ["GPU-a", "GPU-b"] if names == ["all"] else [n for n in names if n not in ("", "void", "none")]
    return sorted({{FILES[name] for name in names}})
"""

# As the real one, it runs in the host's namespaces and makes the device files in the container's. Each call leaves a
# line in the log beside it.
_HOOK = """
state = json.load(sys.stdin)
config = json.loads((pathlib.Path(state["bundle"]) / "config.json").read_text())
with open(os.path.join(os.path.dirname(__file__), "hook.log"), "a") as log:
    log.write(state["id"] + "\\n")
for number in wanted(config):
    file = pathlib.Path(state["bundle"], config["root"]["path"], "dev", f"nvidia{number}")
    command = ["nsenter", "-t", str(state["pid"]), "-m", "sh", "-c", 'test -e "$0" || mknod -m 666 "$0" c 1 3', file]
    subprocess.run(command, check=True)
"""

# runc with the device files in the container's configuration.
_RUNTIME = """
if "create" in sys.argv:
    bundle = pathlib.Path(sys.argv[sys.argv.index("--bundle") + 1])
    config = json.loads((bundle / "config.json").read_text())
    for number in wanted(config):
        node = {"path": f"/dev/nvidia{number}", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}
        config["linux"].setdefault("devices", []).append(node)
    (bundle / "config.json").write_text(json.dumps(config))
os.execvp("runc", ["runc", *sys.argv[1:]])
"""

_CDI = {
    "cdiVersion": "0.6.0",
    "kind": "nvidia.com/gpu",
    "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"]},
    "devices": [
        {"name": name, "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{n}", "hostPath": "/dev/null"}]}}
        for n, names in enumerate((("0", "GPU-a"), ("1", "GPU-b", "MIG-b0")))
        for name in names
    ],
}


def _program(file, text):
    file.write_text(_COMMON + text)
    file.chmod(0o755)
    return file


def hook(folder):
    """nvidia-container-runtime-hook, for the PATH of an engine."""
    return _program(folder / "nvidia-container-runtime-hook", _HOOK)


def runtime(folder):
    """A daemon.json with the runtime `nvidia`."""
    program = _program(folder / "fake-nvidia-runtime", _RUNTIME)
    config = folder / "daemon.json"
    config.write_text(json.dumps({"runtimes": {"nvidia": {"path": str(program)}}}))
    return config


def cdi(folder):
    """A folder of CDI specifications."""
    specifications = folder / "cdi"
    specifications.mkdir()
    (specifications / "nvidia.json").write_text(json.dumps(_CDI))
    return specifications
