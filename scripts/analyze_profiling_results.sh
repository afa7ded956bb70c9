#!/usr/bin/env bash
# Phase 2 and 3 of the profiling guide: the report of a recording, and a baseline document when nothing is wrong.
#   ./scripts/analyze_profiling_results.sh [RECORDING] [--target RATE]     (default: the newest recording)
set -euo pipefail

usage() { sed -n '2,3s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
case "${1:-}" in -h | --help) usage && exit 0 ;; esac
recording=
case "${1:-}" in
    "" | -*) ;;
    *)
        [ -d "$1" ] || { echo "analyze: $1: no such folder; name one of storeprof-runs/, or none" >&2 && exit 2; }
        recording=$(cd "$1" && pwd) && shift
        ;;
esac
here=$PWD
cd "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/.."
[ -x .venv/bin/storeprof ] || { echo "analyze: run ./scripts/profiling_setup.sh first" >&2 && exit 2; }
if [ -z "$recording" ]; then
    # shellcheck disable=SC2012 # names are ours: storeprof makes them of time and letters
    newest=$(ls -td storeprof-runs/*/recording.json storeprof-runs/*/runs.json 2>/dev/null | head -n 1) || true
    [ -n "$newest" ] || { echo "analyze: no recording; run ./scripts/profile_storageimpl.sh 60 first" >&2 && exit 2; }
    recording=$(dirname "$newest")
    [ "$here" = "$PWD" ] || recording=$PWD/$recording
fi
storeprof=$PWD/.venv/bin/storeprof
cd "$here" # what is printed has to be found from where this was typed

"$storeprof" report "$recording" "$@"
verdict=$("$storeprof" analyze "$recording" "$@")
if [ "${verdict%%:*}" = no-bottleneck ]; then
    "$storeprof" analyze "$recording" "$@" --baseline "$recording/baseline.md" >/dev/null
    echo "baseline: $recording/baseline.md"
fi
echo "files:"
find "$recording" -maxdepth 1 -type f \( -name 'performance_test_*.log' -o -name 'sample_profile_*.txt' \
    -o -name 'heap_analysis_*.txt' -o -name 'vmmap_analysis_*.txt' -o -name 'leaks_*.txt' -o -name 'dtrace_*.txt' \) | sort |
    while read -r file; do echo "  $file  $(head -n 1 "$file")"; done
