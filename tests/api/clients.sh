#!/usr/bin/env bash
# clients.sh BAGEL: the server against clients that people really use, from PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/python.sh
python_environment clients 'ollama==0.6.*' 'openai>=2,<4'
exec "$PYTHON" tests/api/clients.py "$1"
