#!/usr/bin/env bash
# The viewers that tests open exports with, in .viewers: speedscope and a pprof decoder from npm, Google's pprof out of
# Debian's Go (the program alone; the toolchain around it is 450 MB).
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in npm node chromium tmux dpkg-deb apt-get; do
    command -v "$tool" >/dev/null || {
        echo "tests open exports in their real viewers: $tool is missing; apt-get install nodejs npm chromium tmux" >&2
        exit 1
    }
done
mkdir -p .viewers
cp tests/exports/package.json tests/exports/package-lock.json .viewers/
(cd .viewers && npm ci --silent --no-audit --no-fund --omit=optional)
if ! [ -x .viewers/pprof ]; then
    # The directory is the user's own; apt says so when root downloads into it.
    (cd .viewers && apt-get download -qq golang-1.19-go 2>/dev/null)
    dpkg-deb --fsys-tarfile .viewers/golang-1.19-go_*.deb |
        tar -x -C .viewers --strip-components=7 --wildcards './usr/lib/go-1.19/pkg/tool/*/pprof'
    rm .viewers/golang-1.19-go_*.deb
fi
touch .viewers/ready
