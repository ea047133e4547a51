#!/usr/bin/env bash
# make_debs.sh BUILD OUT [CPACK_OPTION...]: the Debian packages of a build whose target `packaged` is
# there, in the folder OUT, where older ones are replaced. Prints their paths and sizes.
set -euo pipefail
build="$1"
out="$(realpath -m "$2")"
shift 2
mkdir -p "$out"
rm -f "$out"/*.deb
log="$(mktemp)"
trap 'rm -rf "$log" "$out/_CPack_Packages"' EXIT
if ! cpack --config "$build/CPackConfig.cmake" -B "$out" "$@" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
for deb in "$out"/*.deb; do
  size="$(stat -c %s "$deb" | numfmt --to=si --suffix=B)"
  echo "$(realpath --relative-base . "$deb")  $size"
done
