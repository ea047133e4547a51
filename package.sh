#!/usr/bin/env bash
# Builds the programs and makes their Debian packages, bagel and sophia, in build/debian. The GPU
# library is part of the first if ./build-gpu.sh has run. Prints what was made, with sizes.
set -euo pipefail
cd "$(dirname "$0")"
source tools/packages.sh
source tools/build.sh

install_packages "${BUILD_PACKAGES[@]}" "${PACKAGING_PACKAGES[@]}"
build release packaged
tools/make_debs.sh build/release build/debian
