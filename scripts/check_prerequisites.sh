#!/bin/sh
# Says in one line what is missing before anything is built. usage: check_prerequisites.sh PYTHON
python=$1
fail() { echo "setup: $1" >&2; exit 2; }
command -v "$python" >/dev/null 2>&1 || fail "$python not found; on Debian: apt-get install python3 python3-venv python3-dev"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than 3.11; name another with make PYTHON=python3.X"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python has no venv; on Debian: apt-get install python3-venv"
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
test -f "$header" || fail "Python's headers are missing; on Debian: apt-get install python3-dev"
command -v gcc >/dev/null 2>&1 || fail "no C compiler; on Debian: apt-get install gcc"
command -v g++ >/dev/null 2>&1 || fail "no C++ compiler; on Debian: apt-get install g++"
