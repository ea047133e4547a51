#!/usr/bin/env bash
# The service units are understood by systemd and leave little to attack: exposure at most 2.0.
set -euo pipefail
cd "$(dirname "$0")/../../packaging/systemd"
for unit in *.service; do
  echo "== $unit"
  systemd-analyze security --offline=yes --threshold=20 "$unit" | tail -n 1
  # The programs are not installed where the tests run.
  complaints="$(systemd-analyze verify --man=no "$unit" 2>&1 |
    grep -v 'is not executable: No such file or directory' || true)"
  if [[ -n "$complaints" ]]; then
    echo "$complaints"
    exit 1
  fi
done
