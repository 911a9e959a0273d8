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
assert seen["db"]["health"] == "healthy" and seen["web"]["status"] == "running", seen
assert seen["db"]["exit_code"] is None and seen["web"]["health"] is None, seen'
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
  [ "$code" -eq 3 ] && grep -q "no container of service other runs" "$work/err" &&
    grep -q "the file has no such service, it has db, web" "$work/err"
}
exec_hands_two_dashes_to_the_command() {
  [ "$(compose exec web sh -c 'echo "$0 $1"' -- -x)" = "-- -x" ] &&
    [ "$(compose exec -- web echo '[a,b]')" = "[a,b]" ]
}
services_that_are_not_named_are_no_orphans() {
  compose up --remove-orphans db 2>"$work/err" && [ "$(left ps)" -eq 2 ] && ! grep -q orphan "$work/err"
}
a_missing_image_says_how_it_is_built() {
  local code=0
  echo 'services: {app: {image: "cctl-e2e-not-there:1", build: {context: ., dockerfile: app.docker}}}' >"$work/build.yaml"
  timeout 120 "$program" -q compose -f "$work/build.yaml" -p "$project-build" up 2>"$work/err" || code=$?
  [ "$code" -eq 3 ] && grep -qF "docker build -t cctl-e2e-not-there:1 -f $work/app.docker $work" "$work/err"
}
gpus_that_the_engine_cannot_give_have_a_remedy() {
  local code=0
  echo 'services: {g: {image: "campaignctl/probe:1", gpus: all, command: ["true"]}}' >"$work/gpus.yaml"
  timeout 120 "$program" -q compose -f "$work/gpus.yaml" -p "$project-g" up 2>"$work/err" ||
    grep -Eq "; (the engine found no nvidia|generate the CDI|nvidia-ctk|the device file)" "$work/err" || code=1
  timeout 120 "$program" -q compose -f "$work/gpus.yaml" -p "$project-g" down && return "$code"
}
a_volume_of_a_fixed_name_is_used_and_stays() {
  local store=$project-store code=0
  docker volume create "$store" >/dev/null || return 1
  printf 'services: {s: {image: "campaignctl/probe:1", command: [sleep, "1000"], stop_signal: SIGKILL, volumes: ["data:/data"]}}
volumes: {data: {name: %s}}\n' "$store" >"$work/store.yaml"
  timeout 120 "$program" compose -f "$work/store.yaml" -p "$project-s" up 2>"$work/err" >/dev/null &&
    grep -q "volume $store is there and is not this project's" "$work/err" || code=1
  timeout 120 "$program" -q compose -f "$work/store.yaml" -p "$project-s" down -v || code=1
  docker volume rm "$store" >/dev/null && return "$code"
}
down_names_the_campaign_whose_it_is() {
  local code=0 net=$project-theirs
  docker network create --label "com.docker.compose.project=$net" --label campaignctl.uid=u \
    --label campaignctl.campaign=alpha "$net" >/dev/null || return 1
  timeout 120 "$program" compose -p "$net" down >/dev/null 2>"$work/err" || code=$?
  docker network rm "$net" >/dev/null && [ "$code" -eq 3 ] && grep -qF '`campaignctl down alpha`' "$work/err"
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
verdict exec_hands_two_dashes_to_the_command exec_hands_two_dashes_to_the_command
verdict services_that_are_not_named_are_no_orphans services_that_are_not_named_are_no_orphans
verdict a_missing_image_says_how_it_is_built a_missing_image_says_how_it_is_built
verdict gpus_that_the_engine_cannot_give_have_a_remedy gpus_that_the_engine_cannot_give_have_a_remedy
verdict a_volume_of_a_fixed_name_is_used_and_stays a_volume_of_a_fixed_name_is_used_and_stays
verdict down_names_the_campaign_whose_it_is down_names_the_campaign_whose_it_is
verdict failure_has_last_words failure_has_last_words
verdict down_leaves_nothing down_leaves_nothing
