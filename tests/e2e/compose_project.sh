#!/bin/bash
# `campaignctl compose` up, ps, exec and down on a real engine: what a person types, what is printed, what is left.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=${CAMPAIGNCTL:-${BUILD:-$root/build/dev}/campaignctl}
if [ -z "${CAMPAIGNCTL_ENGINE:-}" ] && ! docker version >/dev/null 2>&1; then
  echo "skip compose_project # no engine"
  exit 0
fi
work=$(mktemp -d)
project=cctl-e2e-$$
compose() { timeout 120 "$program" -q compose -f "$work/compose.yaml" -p "$project" "$@"; }
trap 'compose down -v >/dev/null 2>&1; rm -rf "$work"' EXIT

cat >"$work/compose.yaml" <<'YAML'
services:
  db:
    image: campaignctl/probe:1
    command: [sh, -c, "sleep 0.3; touch /tmp/ready; exec sleep 1000"]
    stop_signal: SIGKILL
    volumes: ["data:/data"]
    healthcheck: {test: [CMD, test, -e, /tmp/ready], interval: 200ms}
  web:
    image: campaignctl/probe:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    environment: {LEVEL: "9"}
    depends_on: {db: {condition: service_healthy}}
volumes: {data: {}}
YAML

verdict() {
  local name=$1
  shift
  if "$@"; then echo "ok compose_project.$name"; else echo "not ok compose_project.$name"; fi
}
left() { docker "$@" --filter "label=com.docker.compose.project=$project" -q | wc -l; }

dry_run_does_nothing() {
  compose up --dry-run | grep -q "^1 create network ${project}_default: it is not there$" && [ "$(left ps -a)" -eq 0 ]
}
up_waits_for_health() {
  compose up --wait && compose --json ps | python3 -c '
import json, sys
seen = {c["service"]: c for c in json.load(sys.stdin)["containers"]}
assert seen["db"]["health"] == "healthy" and seen["web"]["status"] == "running", seen'
}
second_up_has_nothing_to_do() { [ "$(compose up --dry-run)" = "nothing to do" ]; }
exec_gives_output_and_code() {
  local said code=0
  said=$(compose exec web sh -c 'echo level $LEVEL; exit 7') || code=$?
  [ "$said" = "level 9" ] && [ "$code" -eq 7 ]
}
ps_names_images_as_the_file_does() { compose ps | grep -Eq "web +running +campaignctl/probe:1$"; }
exec_leaves_the_input_to_its_caller() {
  local said
  said=$(printf 'one\ntwo\n' | while read -r line; do compose exec web echo "$line"; done)
  [ "$said" = "one
two" ]
}
exec_hands_input_on_when_asked() {
  local said
  said=$(printf 'one\ntwo\n' | compose exec -i web sh -c 'cat; echo end')
  [ "$said" = "one
two
end" ] && [ "$(compose exec -i web cat </dev/null)" = "" ] &&
    [ "$(compose exec -i web wc -c <"$work/compose.yaml")" -eq "$(wc -c <"$work/compose.yaml")" ]
}
exec_takes_what_is_said_after_the_input_is_closed() {
  local said code=0
  said=$(head -c 300000 /dev/zero | compose exec -i web sh -c 'exec <&-; sleep 0.2; echo last words; exit 5') || code=$?
  [ "$said" = "last words" ] && [ "$code" -eq 5 ]
}
exec_names_what_does_not_run() {
  local code=0
  compose exec other true 2>"$work/err" || code=$?
  [ "$code" -eq 3 ] && grep -q "no container of service other runs" "$work/err"
}
failure_has_last_words() {
  local code=0
  cat >"$work/bad.yaml" <<'YAML'
services:
  bad: {image: "campaignctl/probe:1", command: [sh, -c, "echo no data here; exit 3"]}
  needs: {image: "campaignctl/probe:1", depends_on: {bad: {condition: service_completed_successfully}}}
YAML
  timeout 120 "$program" -q compose -f "$work/bad.yaml" -p "$project-bad" up 2>"$work/err" || code=$?
  [ "$code" -eq 1 ] && grep -q "it has ended with 3" "$work/err" && grep -q "no data here" "$work/err" &&
    [ "$(docker ps -aq --filter "label=com.docker.compose.project=$project-bad" | wc -l)" -eq 0 ]
}
down_leaves_nothing() {
  compose down -v && [ "$(left ps -a)" -eq 0 ] && [ "$(left network ls)" -eq 0 ] && [ "$(left volume ls)" -eq 0 ]
}

verdict dry_run_does_nothing dry_run_does_nothing
verdict up_waits_for_health up_waits_for_health
verdict second_up_has_nothing_to_do second_up_has_nothing_to_do
verdict exec_gives_output_and_code exec_gives_output_and_code
verdict ps_names_images_as_the_file_does ps_names_images_as_the_file_does
verdict exec_leaves_the_input_to_its_caller exec_leaves_the_input_to_its_caller
verdict exec_hands_input_on_when_asked exec_hands_input_on_when_asked
verdict exec_takes_what_is_said_after_the_input_is_closed exec_takes_what_is_said_after_the_input_is_closed
verdict exec_names_what_does_not_run exec_names_what_does_not_run
verdict failure_has_last_words failure_has_last_words
verdict down_leaves_nothing down_leaves_nothing
