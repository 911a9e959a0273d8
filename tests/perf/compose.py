"""How long compose files take to load: a file of 1,000 services that use most of what a service can say."""

from bench import median

LIMIT = 0.3  # seconds, of a release build
SERVICE = """  worker-{n}:
    <<: *common
    image: "registry.example/worker:${{TAG:-{n}}}"
    command: [run, --index, "{n}", --name, worker-{n}]
    environment: {{INDEX: "{n}", LEVEL: "${{LEVEL:-info}}", NAME: worker-{n}}}
    ports: ["{port}:80", "127.0.0.1::81/udp"]
    volumes: ["./data/{n}:/data:ro", "cache:/cache", {{type: tmpfs, target: /scratch, tmpfs: {{size: 64m}}}}]
    networks: {{default: {{aliases: [w{n}]}}, back: {{}}}}
    depends_on: {{base: {{condition: service_completed_successfully}}}}
    healthcheck: {{test: "true", interval: 5s, timeout: 500ms, retries: 3}}
    deploy: {{resources: {{limits: {{cpus: "0.5", memory: 1g}}}}}}
    labels: ["one={n}", two=2]
"""
HEAD = """x-common: &common
  restart: on-failure:3
  logging: {driver: json-file, options: {max-size: 10m}}
  ulimits: {nofile: {soft: 1024, hard: 2048}}
services:
  base: {image: base}
"""


def run(bench):
    count = 100 if bench.quick else 1000
    bench.say(f"compose: {count} services")
    path = bench.folder / "compose.yaml"
    services = "".join(SERVICE.format(n=n, port=10000 + n) for n in range(count))
    path.write_text(HEAD + services + "networks: {back: {}}\nvolumes: {cache: {}}\n")
    times = bench.timed(bench.program, "-q", "compose", "-f", path, "config", count=3 if bench.quick else 9)
    bench.row(f"compose config of {count:,} services", median([time["wall"] for time in times]), "s",
              None if bench.quick else LIMIT)
    bench.row("  its peak memory", max(time["rss_mb"] for time in times), "MB")
