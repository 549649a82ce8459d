#!/bin/sh
# Makes the environment: .venv with the program and its tools, and the contracts' sources from npm.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: expected Python 3.11 or later, got $("$python" --version)" >&2; exit 2; }
[ -x .venv/bin/pip ] || "$python" -m venv .venv || {
  rm -rf .venv; echo "setup: Python cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 2; }
.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[dev,pv]'

# Sources and compiler come from npm; where there is no npm, PyPI carries one.
command -v npm >/dev/null || .venv/bin/pip install --quiet --disable-pip-version-check --editable '.[node]'
PATH="$PATH:$PWD/.venv/bin" npm ci --prefix contracts --loglevel=error >/dev/null
.venv/bin/python -m rwa_sim.chain.artifacts
touch .venv/.ready
