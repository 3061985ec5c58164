#!/bin/sh
# Makes ./configure from a git checkout. Release tarballs have it already.
set -eu
cd "$(dirname "$0")"

missing=
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need autoreconf autoconf
need automake automake
need m4 m4
[ -e /usr/share/aclocal/pkg.m4 ] || need pkg-config pkgconf
if [ -n "$missing" ]; then
    echo "autogen.sh: missing:$missing" >&2
    echo "  on Debian: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
exec autoreconf --force --install
