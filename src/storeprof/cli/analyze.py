"""`storeprof analyze`: findings of a recording, for scripts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from storeprof.errors import UsageError


def add_parser(commands: Any) -> None:
    """Add `analyze` to the command line."""
    parser = commands.add_parser(
        "analyze",
        help="findings of a recording, for scripts",
        description="Find where the time of a recorded program went, and judge it.",
    )
    parser.add_argument("recording", nargs="?", type=Path, help="folder of a recording (default: the newest)")
    parser.add_argument("--json", action="store_true", help="print the findings document")
    parser.add_argument(
        "--fail-on", metavar="KIND[,KIND]", help="exit with 1 when a bottleneck of these kinds is found"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse and print."""
    from storeprof.analysis.document import analyze
    from storeprof.session.finish import open_recording
    from storeprof.session.folder import newest_recording

    wanted = _kinds(options.fail_on)
    document = analyze(open_recording(options.recording or newest_recording()))
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        print(f"{document['verdict']}: {document['summary']}")
    failed = any(row["kind"] in wanted and row["severity"] == "bottleneck" for row in document["findings"])
    return 1 if failed else 0


def _kinds(text: str | None) -> frozenset[str]:
    from storeprof.analysis.finding import KINDS

    wanted = frozenset((text or "").split(",")) - {""}
    unknown = sorted(wanted - set(KINDS))
    if unknown:
        raise UsageError(f"--fail-on: no kind {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
    return wanted
