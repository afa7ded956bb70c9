"""The words of `storeprof doctor`."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from storeprof.report.terminal import WIDE


def print_doctor(document: dict[str, Any], stream: TextIO) -> None:
    """Print the collectors, those that can run first, and the warnings on builds."""
    console = Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False, soft_wrap=True)
    rows = document["collectors"]
    here = [row for row in rows if row["system"] == document["system"]]
    elsewhere = [row for row in rows if row["system"] != document["system"]]
    if document["system"] == "linux":
        console.print("The observer looks at every program without privilege. Beside it, and in passes of their own:")
    for row in sorted(here, key=lambda one: not one["available"]):
        _print_collector(console, row)
    if elsewhere:
        names = ", ".join(row["name"] for row in elsewhere)
        console.print(f"\nTools of another system, read here with `storeprof import`: {names}", markup=False)
    for build in document["builds"]:
        _print_build(console, build)


def _print_collector(console: Console, row: dict[str, Any]) -> None:
    mark = "[green]yes[/]" if row["available"] else "[yellow]no [/]"
    collects = ", ".join(row["collects"])
    console.print(f"\n{mark} [bold]{row['name']}[/] ({escape(collects)}): {escape(row['adds'])}")
    if row["reason"]:
        console.print(f"      {escape(row['reason'])}")
    if row["remedy"]:
        console.print(f"      to get it: {escape(row['remedy'])}")
    if row["available"]:
        run = "beside the program" if row["when"] == "recording" else "a pass of its own"
        console.print(f"      [dim]{run}; costs {escape(row['costs'])}[/]")


def _print_build(console: Console, build: dict[str, Any]) -> None:
    console.print()
    if not build["known"]:
        console.print(f"{build['program']}: {build['why']}", markup=False)
    elif not build["warnings"]:
        console.print(f"{build['program']}: the build misleads nobody", markup=False)
    for warning in build["warnings"]:
        console.print(f"{build['program']}: {warning['what']}; {warning['remedy']}", markup=False)
