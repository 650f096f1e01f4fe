#!/usr/bin/env bash
# The first Python on the path that starts, is new enough and can make a virtual environment.
# Asking each to run is what tells a Python from a version manager's empty launcher.
set -u
for name in python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        command -v "$name"
        exit 0
    fi
done
echo "No Python of 3.11 or newer with venv was found. Install one: sudo apt-get install python3 python3-venv" >&2
exit 1
