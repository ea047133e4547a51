#!/usr/bin/env bash
# clients.sh BAGEL: the server against clients that people really use, from PyPI. They are installed
# once into a virtual environment in the build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=build/clients
if [[ ! -x "$environment/bin/python" ]]; then
  python3 -m venv "$environment"
fi
"$environment/bin/pip" install -q 'ollama==0.6.*'
exec "$environment/bin/python" tests/api/clients.py "$1"
