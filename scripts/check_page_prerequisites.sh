#!/bin/sh
# Says in one line what is missing before the page of reports is built and tested; installing storeprof needs none of it.
fail() { echo "setup: $1" >&2; exit 2; }
command -v npm >/dev/null 2>&1 || fail "npm not found; on Debian: apt-get install nodejs npm"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)' || fail "Node is older than 18; on Debian 12: apt-get install nodejs"
for browser in chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null 2>&1 && exit 0
done
fail "no Chromium for the tests of the page; on Debian: apt-get install chromium"
