"""`storeprof gate`: the rules of pyproject.toml, as an exit status that CI understands."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from storeprof.cli.compare import add_side_options
from storeprof.errors import UsageError

EPILOG = """\
Rules stand in [tool.storeprof.gate] of pyproject.toml (docs/formats/gate.md). Exit status: 0 passed, 1 regressed,
3 can't tell (a counter is missing, or the interval reaches over the limit), 2 unusable input.

examples:
  storeprof gate                              rules without a baseline, on the newest recording
  storeprof gate --against main               compare the newest recording with the baseline `main`
  storeprof gate --comparison duel.json       what `storeprof duel --json` printed: settles small changes
"""


def add_parser(commands: Any) -> None:
    """Add `gate` to the command line."""
    parser = commands.add_parser(
        "gate",
        help="rules of pyproject.toml as an exit status, for CI",
        description="Judge a recording, or a comparison, by the rules of [tool.storeprof.gate] in pyproject.toml.",
        usage="storeprof gate [CANDIDATE] [OPTIONS]\n"
        "       storeprof gate BASELINE CANDIDATE [OPTIONS]\n"
        "       storeprof gate --comparison FILE [OPTIONS]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING", help="candidate, or baseline and it")
    add_side_options(parser)
    parser.add_argument("--comparison", type=Path, metavar="FILE", help="judge this comparison document")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("pyproject.toml"),
        metavar="FILE",
        help="the rules (default: pyproject.toml)",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also add a summary in Markdown to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge, say it, answer by the exit status."""
    from storeprof.compare.gate import exit_status, judge
    from storeprof.compare.gate_rules import read_rules
    from storeprof.report.gate import markdown, text, write_junit

    rules = read_rules(options.config)
    if options.comparison:
        rows, why = _comparison(options)
        values = {(row["name"], row["operation"]): row["candidate"] for row in rows if row["candidate"] is not None}
        outcomes = judge(rules, rows, values, runs=1, measured=True, not_counted=why)
    else:
        outcomes = _of_recordings(options, rules)
    lines = [(outcome.rule.words, outcome.status, outcome.reason) for outcome in outcomes]
    print(text(lines))
    if options.junit:
        write_junit(options.junit, lines)
    if options.markdown:
        with open(options.markdown, "a", encoding="utf-8") as file:
            file.write(markdown(lines))
    return exit_status(outcomes)


def _comparison(options: argparse.Namespace) -> tuple[list[dict[str, Any]], str | None]:
    """Rows of a comparison document, and why it has no system calls, where it says so."""
    from storeprof.duel.counting import NOT_COUNTED

    if options.recordings or options.against:
        raise UsageError("--comparison has both sides already: name no recording and no --against beside it")
    try:
        document = json.loads(options.comparison.read_text(encoding="utf-8"))
        if document["schema"] != 1:
            raise UsageError(f"{options.comparison}: schema {document['schema']}; this storeprof reads 1: upgrade it")
        rows = list(document["metrics"])
        said = [str(line) for line in document.get("warnings") or []]
        for row in rows:
            row["name"], row["operation"], row["better"]
            low, high = (0.0, 0.0) if row["ci"] is None and row["ratio"] is None else row["ci"]
            for value in (row["ratio"], low, high, row["p_adjusted"], row["baseline"], row["candidate"]):
                if value is not None and not isinstance(value, int | float):
                    raise TypeError(f"{value!r} is no number")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{options.comparison}: is no comparison document ({error}); `storeprof duel --json` prints one"
        ) from None
    return rows, next((line.removeprefix(f"{NOT_COUNTED}: ") for line in said if line.startswith(NOT_COUNTED)), None)


def _of_recordings(options: argparse.Namespace, rules: Any) -> list[Any]:
    """Outcomes of a candidate alone, or against a baseline where a rule asks for one."""
    from storeprof.cli.compare import sides
    from storeprof.compare.comparison import compare
    from storeprof.compare.drift import crowded_of
    from storeprof.compare.gate import judge
    from storeprof.compare.judgement import Thresholds
    from storeprof.duel.sides import side_of, values_of_side
    from storeprof.session.folder import newest_recording

    if len(options.recordings) < 2 and options.against is None:
        options.against = rules.against
    rows: list[dict[str, Any]] = []
    if len(options.recordings) == 2 or (options.against and rules.keys):
        baseline, candidate, warnings = sides(options)
        document = compare(baseline, candidate, Thresholds(rules.alpha), only=rules.keys)
        rows = document["metrics"]
        for warning in [*warnings, *document["warnings"]]:
            print(f"mind: {warning}")
    elif len(options.recordings) > 1:
        raise UsageError("name one candidate, or a baseline and a candidate; see `storeprof gate --help`")
    else:
        candidate = side_of(options.recordings[0] if options.recordings else newest_recording(), options.workload)
    values, why = values_of_side(candidate), candidate.about.get("not_counted")
    beside = crowded_of(candidate)
    return judge(rules, rows, values, len(candidate.runs), measured=False, not_counted=why, crowded=beside)
