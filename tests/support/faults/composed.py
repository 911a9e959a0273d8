"""A campaign whose runner is a service of a compose file: `work`, which depends on `db` (healthy) and `init` (completed)."""

import json

from campaign import IMAGE, Campaign, docker, merged

# db serves a page once it is up; init is done once it has left a flag for the others.
DB = 'echo db is up; mkdir -p /tmp/www; echo here > /tmp/www/db; echo > /tmp/up; exec httpd -f -p 80 -h /tmp/www'
SERVICES = {
    "work": {
        "image": IMAGE,
        "command": ["sh", "/payload/run.sh"],
        "volumes": ["./payload:/payload:ro", "./witness:/witness", "flags:/flags:ro"],
        "environment": {"FROM_FILE": "yes", "API_TOKEN": "${API_TOKEN:-}"},
        "depends_on": {
            "db": {"condition": "service_healthy"},
            "init": {"condition": "service_completed_successfully"},
        },
    },
    "db": {
        "image": IMAGE,
        "command": ["sh", "-c", DB],
        "healthcheck": {"test": ["CMD", "test", "-e", "/tmp/up"], "interval": "200ms", "retries": 50},
        "stop_grace_period": "1s",
        "init": True,
    },
    "init": {"image": IMAGE, "command": ["sh", "-c", "echo set >> /flags/flag"], "volumes": ["flags:/flags"]},
}
FILE = {"services": SERVICES, "volumes": {"flags": {}}}
DOCUMENT = {
    "axes": {"size": [1, 2]},
    "container": {"compose_file": "compose.yaml"},
    "runner": {key: None for key in ("image", "pull", "command", "network", "volumes")} | {"service": "work"},
    "execution": {"cycles": 2},
}
ASK = 'wget -q -O /dev/null http://db/db && [ "$(cat /flags/flag)" = set ] && [ "$FROM_FILE" = yes ]'


class Composed(Campaign):
    """A campaign whose file lies beside a compose file, which `services` changes."""

    def __init__(self, changes=None, services=None, task=ASK, **options):
        self.variables = {}  # of the controller's environment
        super().__init__(DOCUMENT, task=task, **options)
        self.write(changes)
        self.compose = FILE
        self.compose_file({"services": services or {}})

    def compose_file(self, changes):
        self.compose = merged(self.compose, changes)
        (self.folder / "compose.yaml").write_text(json.dumps(self.compose, indent=1))

    def environment(self, kill=None):
        return super().environment(kill) | self.variables

    def project(self):
        return f"{self.name}-{self.uids()[-1][:4]}"

    def volumes(self):
        return [v for uid in self.uids()
                for v in docker("volume", "ls", "-q", "--filter", f"label=campaignctl.uid={uid}", host=self.host).split()]

    def assert_nothing_left(self):
        super().assert_nothing_left()
        left = self.volumes()
        assert not left, f"volumes are left: {left}"

    def __exit__(self, *what):
        for volume in self.volumes():
            docker("volume", "rm", "-f", volume, host=self.host, check=False)
        super().__exit__(*what)

    def service(self, name, check=True):
        """The container of a service that others depend on."""
        found = [line for uid in self.uids() for line in docker(
            "ps", "-q", "--no-trunc", "--filter", f"label=campaignctl.uid={uid}",
            "--filter", f"label=campaignctl.dependency={name}", host=self.host).split()]
        assert not check or len(found) == 1, found
        return found[0] if found else None

    def log_of(self, service):
        return (self.results() / "services" / f"{self.project()}-{service}-1.log").read_text()

    def failures(self):
        found = [json.loads(p.read_text()) for p in sorted(self.results().glob("attempts/*/run.json"))]
        return [(r["run"], r["class"], r["message"]) for r in found]
