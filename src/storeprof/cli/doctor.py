"""`storeprof doctor`: what this machine can measure, why not where it cannot, and which builds mislead."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from storeprof.errors import UsageError


def add_parser(commands: Any) -> None:
    """Add `doctor` to the command line."""
    parser = commands.add_parser(
        "doctor",
        help="what this machine can measure, and why not where it cannot",
        description="List every collector, what it would add here, and the exact command that makes an unavailable one "
        "available; and say of programs whether their build misleads a profiler.",
    )
    parser.add_argument("--json", action="store_true", help="print one document, for scripts")
    parser.add_argument(
        "program", nargs="*", type=Path, metavar="PROGRAM", help="a binary whose build is to be checked"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look around, and say."""
    from storeprof.report.doctor import print_doctor
    from storeprof.session.doctor import examine

    for program in options.program:
        if not program.is_file():
            raise UsageError(f"{program}: no such file; name a program to be checked, or none")
    document = examine(options.program)
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        print_doctor(document, sys.stdout)
    return 0
