"""`storeprof analyze`: findings of a recording, for scripts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import add_judging_options, asked_for
from storeprof.errors import UsageError


def add_parser(commands: Any) -> None:
    """Add `analyze` to the command line."""
    parser = commands.add_parser(
        "analyze",
        help="findings of a recording, for scripts",
        description="Find where the time of a recorded program went, and judge it.",
    )
    parser.add_argument(
        "recording", nargs="?", type=Path, help="folder of a recording or of several runs (default: the newest)"
    )
    parser.add_argument("--json", action="store_true", help="print the findings document")
    parser.add_argument(
        "--fail-on", metavar="KIND[,KIND]", help="exit with 1 when a bottleneck of these kinds is found"
    )
    add_judging_options(parser)
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="also write the figures as a baseline to keep, in Markdown (replaces an older baseline, nothing else)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse and print."""
    from storeprof.session.documents import findings_of
    from storeprof.session.folder import newest_recording

    wanted = _kinds(options.fail_on)
    if options.baseline:
        _check_baseline(options.baseline)
    document = findings_of(options.recording or newest_recording(), asked_for(options))
    if options.baseline:
        _write_baseline(document, options.baseline)
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        print(f"{document['verdict']}: {document['summary']}")
    failed = any(row["kind"] in wanted and row["severity"] == "bottleneck" for row in document["findings"])
    return 1 if failed else 0


def _check_baseline(path: Path) -> None:
    """Refuse to replace what is not a baseline of ours, before anything is analysed."""
    from storeprof.report.baseline import MARK

    if not path.exists():
        return
    if not path.is_file():
        raise UsageError(f"--baseline {path}: is no file; name a new file")
    with open(path, encoding="utf-8", errors="replace") as file:
        if not file.readline().startswith(MARK):
            raise UsageError(f"--baseline {path}: holds something else than a baseline; name a new file")


def _write_baseline(document: dict[str, Any], path: Path) -> None:
    from storeprof.report.baseline import baseline

    try:
        path.write_text(baseline(document), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--baseline {path}: can't be written ({error.strerror}); name another file") from None


def _kinds(text: str | None) -> frozenset[str]:
    from storeprof.analysis.finding import KINDS

    wanted = frozenset((text or "").split(",")) - {""}
    unknown = sorted(wanted - set(KINDS))
    if unknown:
        raise UsageError(f"--fail-on: no kind {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
    return wanted
