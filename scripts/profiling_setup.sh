#!/usr/bin/env bash
# Phase 1 of the profiling guide: installs what can be installed, makes storeprof, configures build-profiling/.
#   ./scripts/profiling_setup.sh [--no-install]     (macos_profiling_setup.sh is the same under its older name)
set -euo pipefail

usage() { sed -n '2,3s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
install=yes
case "${1:-}" in
    "") ;;
    --no-install) install=no ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
esac
cd "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/.."

say() { echo "setup: $*"; }
present() { command -v "$1" >/dev/null 2>&1; }

# What each program is wanted for stands in `storeprof doctor`.
linux_packages() {
    local missing=()
    local pairs=(cmake:cmake make:make g++:g++ perf:linux-perf bpftrace:bpftrace heaptrack:heaptrack
        valgrind:valgrind strace:strace gprof:binutils)
    for pair in "${pairs[@]}"; do present "${pair%%:*}" || missing+=("${pair#*:}"); done
    [ -e /usr/include/gtest/gtest.h ] || missing+=(libgtest-dev)
    ((${#missing[@]})) || { say "tools: all there" && return; }
    local command="apt-get install -y --no-install-recommends ${missing[*]}"
    if [ "$install" = no ] || ! present apt-get || [ "$(id -u)" != 0 ]; then
        say "missing: ${missing[*]}; on Debian, as root: $command"
        return
    fi
    say "installing ${missing[*]}"
    # One that this system does not have must not keep the others away.
    apt-get update -qq || true
    for package in "${missing[@]}"; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
            say "$package could not be installed; storeprof goes on without it"
    done
}

macos_packages() {
    xcode-select -p >/dev/null 2>&1 || say "missing: Xcode's command line tools; xcode-select --install"
    for tool in sample heap vmmap leaks malloc_history dtrace xcrun; do present "$tool" || say "missing: $tool"; done
    if ! present cmake; then
        if [ "$install" = yes ] && present brew; then brew install cmake googletest; else
            say "missing: cmake; brew install cmake googletest"
        fi
    fi
}

case "$(uname -s)" in
    Darwin) macos_packages ;;
    *) linux_packages ;;
esac

if present make; then make --no-print-directory setup; fi
if [ "$install" = yes ] && ! .venv/bin/python -c 'import memray' 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[tools]' ||
        say "memray could not be installed; storeprof goes on without it"
fi

if present cmake; then
    cmake -S examples/cpp_engine -B build-profiling -DCMAKE_BUILD_TYPE=RelWithDebInfo >build-profiling.log 2>&1 ||
        { cat build-profiling.log >&2 && rm -f build-profiling.log && say "cmake failed" >&2 && exit 1; }
    mv build-profiling.log build-profiling/configure.log
    say "build-profiling/ is configured: RelWithDebInfo, -g -O2 -fno-omit-frame-pointer"
else
    say "cmake is missing: build-profiling/ is not configured, the Python engine can be profiled all the same"
fi
.venv/bin/storeprof doctor || true
say "next: cd build-profiling && make -j4, then ./scripts/profile_storageimpl.sh 60"
