#!/usr/bin/env bash
# Installs what is missing, builds, and asks the demo model about three drawn pictures over HTTP; where
# the model draws, it also draws a picture, changes it, and says what it sees on the result.
set -euo pipefail
cd "$(dirname "$0")"
source tools/packages.sh
source tools/build.sh

install_packages "${BUILD_PACKAGES[@]}" "${DEMO_PACKAGES[@]}"
build release bagel

echo "starting the server with the demo model, which knows drawn pictures only"
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

# ask FILTER: standard input becomes a request by the filter, and the answer comes out.
ask() {
  jq -Rs "$1 + {model: \"bagel-7b-mot\", stream: false}" |
    curl -sS "http://127.0.0.1:$port/api/generate" -d @- |
    jq 'if .error then error(.error) else . end'
}

# describe FILE QUESTION
describe() {
  echo "asking about $1: $2"
  base64 -w0 "$1" |
    ask "{prompt: \"$2\", images: [.], options: {temperature: 0.3, num_predict: 150}}" |
    jq -r '"  " + .response'
}

for picture in demo/pictures/{person-01,person-02,security-01}.jpg; do
  describe "$picture" "Describe this image."
done

if curl -sS "http://127.0.0.1:$port/api/tags" |
  jq -e 'any(.models[].capabilities[]; . == "image")' >/dev/null; then
  mkdir -p build/demo
  prompt="Show me a happy person: long blond hair, green sweater, no glasses, in a garden"
  echo "drawing build/demo/drawn.png: $prompt"
  printf '%s' "$prompt" | ask '{prompt: ., steps: 50, options: {seed: 1}}' |
    jq -r .image | base64 -d >build/demo/drawn.png
  describe build/demo/drawn.png "Describe the person in detail."
  change="Change the sweater color to orange."
  echo "changing it, build/demo/changed.png: $change"
  base64 -w0 build/demo/drawn.png |
    ask "{prompt: \"$change\", images: [.], steps: 50, options: {seed: 1}}" |
    jq -r .image | base64 -d >build/demo/changed.png
  describe build/demo/changed.png "Describe the person in detail."
fi
echo "Done. Ask on your own: build/release/apps/bagel/bagel describe --image FILE"
echo "or draw: build/release/apps/bagel/bagel generate --prompt \"A red apple\" -o apple.png"
