#!/usr/bin/env bash
# install_test.sh BUILD: the packages of a build are installed into a new Debian that holds nothing
# else, used there, removed and purged; nothing is left of them. Needs root or user namespaces, and
# Debian's archive for some 600 MB of what they depend on.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/packages.sh
folder="$(mktemp -d)"
root="$folder/root"
trap 'rm -rf --one-file-system "$folder"' EXIT

tools/make_debs.sh "$1" "$folder/debs"
new_debian "$root"
cp -r "$folder/debs" tests/packaging/inside_test.sh tests/packaging/traces.sh "$root/"
cp /etc/resolv.conf "$root/etc/"
# As in any image that is made before it runs: nothing is to be started.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

unshare --mount --pid --fork --kill-child bash -euc '
  mount -t proc proc "$0/proc"
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive chroot "$0" bash /inside_test.sh' "$root"
