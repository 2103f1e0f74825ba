#!/bin/sh
# Create .venv and install the locked, hashed requirements: with uv where it is present, else with venv and pip.
set -eu
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "tieout needs Python 3.11 or later; $python is $("$python" --version 2>&1)." >&2
    exit 2
}
rm -rf .venv
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --python "$python" .venv
    uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
else
    "$python" -c 'import ensurepip' 2>/dev/null || {
        echo "This Python has no venv: install the package python3-venv (Debian, Ubuntu) and run the command again." >&2
        exit 2
    }
    "$python" -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
fi
touch .venv/ready
