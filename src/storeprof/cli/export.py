"""`storeprof export`: a recording for viewers that people already have."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from storeprof.errors import UsageError

EPILOG = """\
formats, and what opens them:
  speedscope   speedscope (speedscope.app): flame graph and timeline of each thread   *.speedscope.json
  perfetto     Perfetto (ui.perfetto.dev): timeline, operations, memory               *.pftrace
  chrome       Perfetto, chrome://tracing: the same as JSON                           *.trace.json
  pprof        pprof (go tool pprof), continuous-profiling backends                   *.pb.gz
  collapsed    flame graph tools, speedscope: a line for each stack, in microseconds  *.collapsed
  markdown     pull requests, issues: verdict, figures, findings                      *.md

All hold busy wall time: CPU time and every wait with its reason. With pprof, -sample_index=cpu, lock, io … picks one.
"""
# Names of files by which a format is known.
_SUFFIXES = {
    ".speedscope.json": "speedscope", ".pftrace": "perfetto", ".perfetto-trace": "perfetto", ".trace.json": "chrome",
    ".pb.gz": "pprof", ".pprof": "pprof", ".collapsed": "collapsed", ".folded": "collapsed", ".md": "markdown",
}  # fmt: skip
_FORMATS = ("speedscope", "perfetto", "chrome", "pprof", "collapsed", "markdown")
_BINARY = frozenset({"perfetto", "pprof"})


def add_parser(commands: Any) -> None:
    """Add `export` to the command line."""
    parser = commands.add_parser(
        "export",
        help="a recording for other viewers: speedscope, Perfetto, pprof, flame graphs, pull requests",
        description="Write a recording in the format of a viewer that you already have.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", nargs="?", type=Path, help="folder of a recording (default: the newest)")
    parser.add_argument(
        "--format", choices=_FORMATS, metavar="FORMAT", help="one of the formats below (default: by the name of FILE)"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="where to write it; - is standard output (default)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export."""
    from storeprof.api.opened import open_path
    from storeprof.session.folder import newest_recording

    wanted = options.format or _format_of(options.output)
    if options.output == "-" and wanted in _BINARY and sys.stdout.isatty():
        raise UsageError(f"--format {wanted} is binary; name a file with -o FILE")
    recording = open_path(options.recording or newest_recording())
    content = recording.export(wanted)
    seen = recording.sql("SELECT (SELECT count(*) FROM looks) + (SELECT count(*) FROM cpu_samples) AS n")["n"][0]
    if not seen and wanted != "markdown":
        print("storeprof: nothing of the program was seen: the export is empty", file=sys.stderr)
    if options.output == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        _write(Path(options.output), content)
    return 0


def _format_of(output: str) -> str:
    found = next((name for suffix, name in _SUFFIXES.items() if output.endswith(suffix)), None)
    if found is None:
        raise UsageError(f"no format is known by the name {output!r}; name it with --format {'|'.join(_FORMATS)}")
    return found


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"-o {path}: can't be written ({error.strerror}); name another file") from None
