#!/usr/bin/env bash
# Phase 1 of the profiling guide, the baseline: everything that this machine can measure of one program.
#   ./scripts/profile_storageimpl.sh SECONDS                        the embedded Python engine
#   ./scripts/profile_storageimpl.sh SECONDS BINARY [ARG...]        a program, started as often as passes are needed
#   ./scripts/profile_storageimpl.sh SECONDS PID | PROCESS-NAME     a program that runs already, and goes on running
# STOREPROF_OPTIONS adds options of `storeprof record`, as in STOREPROF_OPTIONS='--preset standard'.
set -euo pipefail

usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
case "${1:-}" in
    -h | --help) usage && exit 0 ;;
    "" | *[!0-9.]* | .) usage >&2 && exit 2 ;;
esac
seconds=$1
target=${2:-}
shift $(($# < 2 ? $# : 2))
# A binary may be named as seen from where this was typed; recordings lie at the root of the project.
case "$target" in */*) [ ! -e "$target" ] || target=$(cd "$(dirname "$target")" && pwd)/$(basename "$target") ;; esac
here=$PWD
cd "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/.."
[ -x .venv/bin/storeprof ] || { echo "profile: run ./scripts/profiling_setup.sh first" >&2 && exit 2; }
read -r -a options <<<"--preset deep ${STOREPROF_OPTIONS:-}"
# Where a recording lies is printed as it has to be typed there.
if ! [ "$here" -ef "$PWD" ]; then
    out=$PWD/storeprof-runs/$(date +%Y%m%d-%H%M%S)-$(basename "${target:-tsdb}")
    [ ! -e "$out" ] || out=$out-$$
    options=(--out "$out" "${options[@]}")
fi

binary() {
    local candidate
    for candidate in "$target" "$here/$target" "build-profiling/$target"; do
        if [ -f "$candidate" ] && [ -x "$candidate" ]; then
            case "$candidate" in */*) echo "$candidate" ;; *) echo "./$candidate" ;; esac
            return
        fi
    done
    return 1
}

on_macos() {
    local pid name=${target##*/}
    if [ -n "$target" ] && [ -z "${target//[0-9]/}" ]; then
        exec scripts/profile_on_macos.sh "$seconds" "$target" "$(basename "$(ps -o comm= -p "$target")")"
    elif [ $# -eq 0 ] && [ -n "$target" ] && pid=$(pgrep -n -x "$target"); then
        exec scripts/profile_on_macos.sh "$seconds" "$pid" "$name"
    fi
    program=$(binary) || return 0
    if [ $# -eq 0 ] && grep -q gtest_repeat "$program"; then set -- --gtest_repeat=-1 --gtest_brief=1; fi
    "$program" "$@" &
    pid=$!
    scripts/profile_on_macos.sh "$seconds" "$pid" "$name"
    local status=$?
    kill -INT "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    exit "$status"
}

if [ "$(uname -s)" = Darwin ]; then
    # The observer and the Python engine's probes are Linux's: on a Mac the C++ engine is the default.
    if [ -z "$target" ]; then target=storageimpl_benchmark && set -- 86400; fi
    on_macos "$@"
elif [ -z "$target" ]; then
    exec .venv/bin/storeprof profile tsdb --duration "$seconds" "${options[@]}"
elif [ -z "${target//[0-9]/}" ]; then
    exec .venv/bin/storeprof record --duration "$seconds" "${options[@]}" --pid "$target"
elif [ $# -eq 0 ] && pgrep -x "${target:0:15}" >/dev/null 2>&1 && [ "${target#*/}" = "$target" ]; then
    exec .venv/bin/storeprof record --duration "$seconds" "${options[@]}" --name "$target"
elif program=$(binary); then
    # A test suite is over in milliseconds: GoogleTest repeats it until the time is over.
    if [ $# -eq 0 ] && grep -q gtest_repeat "$program"; then set -- --gtest_repeat=-1 --gtest_brief=1; fi
    exec .venv/bin/storeprof record --duration "$seconds" "${options[@]}" -- "$program" "$@"
fi
echo "profile: $target is no program here, and no process has that name; build it (make -C build-profiling) or start it" >&2
exit 2
