#!/bin/sh
# Runs the browser tests with what their lock file names, in the build tree.
set -eu
source=$(cd "$(dirname "$0")/../browser" && pwd)
: "${IMD:?the built imd}" "${IMCTL:?the built imctl}"

for tool in node npm; do
    command -v $tool >/dev/null || {
        echo "needs nodejs, npm and chromium (Debian packages)"
        exit 77
    }
done
command -v chromium >/dev/null || {
    echo "needs chromium (Debian package)"
    exit 77
}
mkdir -p tests/browser
build=$(cd tests/browser && pwd)
[ "$build" = "$source" ] || (cd "$source" && tar -cf - --exclude=node_modules .) | tar -xf - -C "$build"
cd "$build"
if ! cmp -s package-lock.json node_modules/.installed-lock; then
    npm ci --no-audit --no-fund
    cp package-lock.json node_modules/.installed-lock
fi
exec npm test
