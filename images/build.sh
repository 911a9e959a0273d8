#!/bin/bash
# build.sh NAME...: builds the images campaignctl/NAME:1 from images/NAME. An image whose content is what the folder
# holds is left alone; --force builds it all the same. `context.sh OUT`, where a folder has one, makes the build context;
# --context-only stops there: what goes into the image lies in build/images/NAME/context then, and no engine is needed.
set -euo pipefail
# shellcheck source=images/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

LABEL=campaignctl.content
force=no
context_only=no

content_hash() {
  (
    cd "$ROOT/images/$1"
    find . -type f ! -name '*.md' -print0 | sort -z | xargs -0 sha256sum
    if grep -qs '/contract/' context.sh; then sha256sum ../contract/*.py; fi
    sha256sum <"$ROOT/images/base.sh"
    echo "${BASE_IMAGE:-}"
  ) | sha256sum | cut -c1-32
}

built_hash() { docker image inspect -f "{{index .Config.Labels \"$LABEL\"}}" "campaignctl/$1:1" 2>/dev/null || true; }

# What a Dockerfile is FROM: the line `# base: none|host|public|SUITE` in it.
base_of() {
  case $(sed -n 's/^# base: //p' "$1/Dockerfile") in
    none) echo scratch ;;
    public) echo "${BASE_IMAGE:-$(sed -n 's/^ARG BASE=//p' "$1/Dockerfile")}" ;;
    host) bash "$ROOT/images/base.sh" ;;
    *) bash "$ROOT/images/base.sh" "$(sed -n 's/^# base: //p' "$1/Dockerfile")" ;;
  esac
}

# Makes build/images/NAME/context, which carries the hash of what it was made from.
make_context() {
  local name=$1 hash=$2 context=$3
  if [ "$force" = no ] && [ "$(cat "$context.hash" 2>/dev/null)" = "$hash" ]; then
    return
  fi
  rm -rf "$context" "$context.hash"
  mkdir -p "$context"
  cp "$ROOT/images/$name/Dockerfile" "$context/"
  if [ -f "$ROOT/images/$name/context.sh" ]; then
    bash "$ROOT/images/$name/context.sh" "$context"
  else
    cp -r "$ROOT/images/$name/." "$context/"
  fi
  echo "$hash" >"$context.hash"
}

build_image() {
  local name=$1 hash context log base old
  [ -f "$ROOT/images/$name/Dockerfile" ] || die "there is no image $name: images/$name/Dockerfile is missing"
  hash=$(content_hash "$name")
  context=$ROOT/build/images/$name/context
  log=$ROOT/build/images/$name/build.log
  if [ "$context_only" = no ] && [ "$force" = no ] && [ "$(built_hash "$name")" = "$hash" ]; then
    return
  fi
  make_context "$name" "$hash" "$context"
  [ "$context_only" = no ] || return 0
  base=$(base_of "$context")
  old=$(docker image inspect -f '{{.Id}}' "campaignctl/$name:1" 2>/dev/null || true)
  if ! docker build -q --force-rm --build-arg "BASE=$base" --label "$LABEL=$hash" -t "campaignctl/$name:1" "$context" \
    >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "image campaignctl/$name:1 could not be built; everything it said is in $log"
  fi
  [ -z "$old" ] || docker image rm "$old" >/dev/null 2>&1 || true
  echo "built campaignctl/$name:1"
}

# Two commands may want the same image at once.
mkdir -p "$ROOT/build/images"
exec 9>"$ROOT/build/images/lock"
flock -w 900 9 || die "another build of images holds $ROOT/build/images/lock for 15 minutes"

for argument in "$@"; do
  case $argument in
    --force) force=yes ;;
    --context-only) context_only=yes ;;
    -*) die "unknown option $argument; usage: build.sh [--force] [--context-only] NAME..." ;;
    *) build_image "$argument" ;;
  esac
done
