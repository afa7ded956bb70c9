#!/usr/bin/env bash
# The name that the profiling strategy uses; the same on macOS and Linux.
exec "$(dirname "${BASH_SOURCE[0]}")/profiling_setup.sh" "$@"
