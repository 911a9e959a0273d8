#!/bin/bash
# Makes OUT/bin/{infer,serve,load}, OUT/lib and OUT/models: what the image holds, and what the local runner runs on the host.
# The npm packages are fetched once, into build/images/llamacpp/packages.
set -euo pipefail
# shellcheck source=images/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"

here=$ROOT/images/llamacpp
out=$1
packages=$ROOT/build/images/llamacpp/packages
headers=$ROOT/build/images/llamacpp/headers
objects=$ROOT/build/images/llamacpp/objects

case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) die "there are no llama.cpp libraries for $(uname -m)" ;;
esac

integrity() { echo "sha512-$(sha512sum "$1" | cut -c1-128 | xxd_reverse | base64 -w0)"; }
xxd_reverse() { python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read().strip()))'; }

# fetch NAME: prints the file that holds the package, checked.
fetch() {
  local version wanted file
  read -r _ version wanted < <(grep "^$1 " "$here/packages.txt")
  file=$packages/$(echo "$1" | tr -d @ | tr / -)-$version.tgz
  if [ ! -f "$file" ]; then
    has_command npm || die "npm is missing: $(install_command npm)"
    mkdir -p "$packages"
    (cd "$packages" && timeout 300 npm pack --silent "$1@$version" >/dev/null) ||
      die "npm could not fetch $1@$version"
  fi
  if [ "$(integrity "$file")" != "$wanted" ]; then
    rm -f "$file"
    die "$file was not what images/llamacpp/packages.txt says; it was removed, run this again"
  fi
  echo "$file"
}

make_headers() {
  local file
  [ ! -f "$headers/done" ] || return 0
  file=$(fetch node-llama-cpp)
  rm -rf "$headers"
  mkdir -p "$headers"
  tar -xzf "$file" -C "$headers" package/llama/gitRelease.bundle
  git clone -q --bare "$headers/package/llama/gitRelease.bundle" "$headers/source.git"
  git -C "$headers/source.git" archive HEAD include ggml/include | tar -x -C "$headers"
  rm -rf "$headers/package" "$headers/source.git"
  touch "$headers/done"
}

make_libraries() {
  local file
  file=$(fetch "@node-llama-cpp/linux-$arch")
  mkdir -p "$out/lib"
  tar -xzf "$file" -C "$out/lib" --strip-components=3 "package/bins/linux-$arch"
  rm -f "$out/lib/"*.node "$out/lib/"*.json "$out/lib/libllama-common.so"
}

# make_program NAME: NAME.cpp with what the programs share.
make_program() {
  "clang++-$(installed_clang)" -std=c++20 -O2 -Wall -Wextra -Werror -I"$headers/include" -I"$headers/ggml/include" \
    "$here/$1.cpp" "$objects"/*.o -o "$out/bin/$1" -L"$out/lib" -l:libllama.v0.5.0.so -l:libggml.v0.5.0.so \
    -l:libggml-base.so -l:libyaml-cpp.a -pthread "-Wl,-rpath,\$ORIGIN/../lib"
}

make_shared() {
  local part
  rm -rf "$objects"
  mkdir -p "$objects" "$out/bin"
  for part in engine http records settings; do
    "clang++-$(installed_clang)" -std=c++20 -O2 -Wall -Wextra -Werror -I"$headers/include" \
      -I"$headers/ggml/include" -c "$here/$part.cpp" -o "$objects/$part.o"
  done
}

make_headers
make_libraries
make_shared
for program in infer serve load; do make_program "$program"; done
mkdir -p "$out/models"
python3 "$here/mkgguf.py" "$out/models"
