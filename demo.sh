#!/usr/bin/env bash
# Installs what is missing, builds, and asks the demo model about three drawn pictures over HTTP.
set -euo pipefail
cd "$(dirname "$0")"
source tools/packages.sh
source tools/build.sh

install_packages "${BUILD_PACKAGES[@]}" "${DEMO_PACKAGES[@]}"
build release bagel

log="$(mktemp)"
build/release/apps/bagel/bagel serve --model demo/model --port 0 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true; rm -f "$log"' EXIT
port=""
for _ in $(seq 300); do
  port="$(sed -n 's/.*listening on http:.*:\([0-9]*\)$/\1/p' "$log")"
  if [[ -n "$port" ]] || ! kill -0 "$server" 2>/dev/null; then
    break
  fi
  sleep 0.1
done
if [[ -z "$port" ]]; then
  cat "$log" >&2
  exit 1
fi

for picture in demo/pictures/{person-01,person-02,security-01}.jpg; do
  echo "$picture"
  base64 -w0 "$picture" |
    jq -Rs '{model: "bagel-7b-mot", prompt: "Describe this image.", images: [.], stream: false,
             options: {temperature: 0.3, num_predict: 150}}' |
    curl -sS "http://127.0.0.1:$port/api/generate" -d @- |
    jq -r 'if .error then error(.error) else "  " + .response end'
done
