"""`storeprof import`: a recording from outputs of tools that were recorded elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

EPILOG = """\
What a file is, its content says: sample, heap, vmmap, leaks, malloc_history, footprint, spindump, dtrace, xctrace XML,
Instruments deep copy (Edit > Deep Copy), gprof, perf script, collapsed stacks, py-spy raw, memray stats,
heaptrack_print, valgrind XML, cachegrind and callgrind, massif, strace -c; also gzipped, and as UTF-16.
Several files of one incident become one recording: their processes are joined by number, or by name.

examples:
  storeprof import sample_profile.txt leaks.txt vmmap.txt --out incident-7
  perf script -i perf.data > stacks.txt && storeprof import stacks.txt --out prod && storeprof report prod
"""


def add_parser(commands: Any) -> None:
    """Add `import` to the command line."""
    parser = commands.add_parser(
        "import",
        help="a recording from outputs of tools recorded elsewhere (sample, leaks, perf script …)",
        description="Make a recording of files that other tools wrote, on this machine or another.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what a tool printed")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the recording, new or empty (default: ./storeprof-runs/TIME-NAME)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Import, and say what was read of each file and where the recording is."""
    from storeprof.intake.importing import import_files
    from storeprof.report.imported import file_line
    from storeprof.session.folder import default_folder
    from storeprof.session.progress import Progress

    folder = options.out or default_folder(f"import-{options.files[0].stem}")
    progress = Progress(sys.stderr)
    try:
        files = import_files(options.files, folder, progress.say)
    finally:
        progress.done()
    for facts in files:
        print(f"storeprof: {file_line(facts.as_meta())}", file=sys.stderr)
    print(f"recording: {folder}", file=sys.stderr, flush=True)
    return 0
