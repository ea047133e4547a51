#!/usr/bin/env bash
# The op tests on processors that this machine may not have: cross-compiled for ARM and POWER and run
# under qemu.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/packages.sh

install_packages g++-aarch64-linux-gnu g++-powerpc64le-linux-gnu googletest libhwy-dev qemu-user-static

# Highway's library for another architecture, without touching this system's packages.
fetch_highway() {
  local architecture=$1 folder=$2
  rm -rf "$folder"
  mkdir -p "$folder"/{lists/partial,cache/archives/partial}
  local apt=(apt-get -qq -o "Dir::State::Lists=$folder/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$folder/cache" -o "APT::Architecture=$architecture"
    -o "APT::Architectures=$architecture" -o APT::Sandbox::User=root)
  "${apt[@]}" update || true # a mirror that is being updated may still have the two packages
  (cd "$folder" && "${apt[@]}" download "libhwy-dev:$architecture" "libhwy1:$architecture")
  for package in "$folder"/*.deb; do
    dpkg -x "$package" "$folder/unpacked"
  done
  mv "$folder/unpacked" "$folder/root"
}

run_on() {
  local architecture=$1 triplet=$2 qemu=$3
  local folder="$PWD/build/$architecture"
  if [[ ! -d "$folder/root" ]]; then
    fetch_highway "$architecture" "$folder"
  fi
  cmake -G Ninja -S tests/long/other_processors -B "$folder/build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_CXX_COMPILER="$triplet-g++" \
    -DHIGHWAY_ROOT="$folder/root/usr" -DHIGHWAY_LIBRARY="$folder/root/usr/lib/$triplet" >/dev/null
  cmake --build "$folder/build" --parallel | grep -v "^\[" || test "${PIPESTATUS[0]}" -eq 0
  echo "$architecture:"
  "$qemu" -L "/usr/$triplet" -E "LD_LIBRARY_PATH=$folder/root/usr/lib/$triplet" \
    "$folder/build/ops_test" --gtest_brief=1 --gtest_filter='-*RealSizes*'
}

run_on arm64 aarch64-linux-gnu qemu-aarch64-static
run_on ppc64el powerpc64le-linux-gnu qemu-ppc64le-static
