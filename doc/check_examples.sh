#!/bin/sh
# check_examples.py, where there is Python.
: "${PYTHON3:=/usr/bin/python3}"
command -v "$PYTHON3" >/dev/null || {
    echo "needs python3 (Debian package)"
    exit 77
}
exec "$PYTHON3" "$(dirname "$0")/check_examples.py"
