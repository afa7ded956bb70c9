"""Arguments that several commands take, and their types."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def percent(text: str) -> float:
    """A percentage over 0 and up to 100."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage between 0 and 100")
    return value


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def two_or_more(text: str) -> int:
    """A whole number from 2 on: one pair says nothing of how much pairs differ."""
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 2 on")
    return int(text)


def seed(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def per_second(text: str) -> float:
    """A rate: `10000/s`, `10k/s`, `2.5M/s`, or the number alone."""
    found = re.fullmatch(r"(\d+(?:[._]\d+)*)([kKM]?)(?:/s)?", text.strip())
    value = float(found[1].replace("_", "")) * {"": 1, "k": 1e3, "K": 1e3, "M": 1e6}[found[2]] if found else 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate, as 10000/s or 10k/s")
    return value


def dotted_name(text: str) -> str:
    """A function by its module: MODULE.FUNCTION or MODULE.Class.method."""
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not MODULE.FUNCTION, as in engine.StorageEngine.put")
    return text


def module_pattern(text: str) -> str:
    """Python modules: package.module, or with * for any part of it."""
    if not re.fullmatch(r"[\w*?\[\]!-]+(\.[\w*?\[\]!-]+)*", text) or text.endswith(".py"):
        raise argparse.ArgumentTypeError(f"{text!r} names no modules, as engine, engine.store or 'engine.*' do")
    return text


def add_target_option(parser: argparse.ArgumentParser) -> None:
    """`--target`, of all commands that judge."""
    parser.add_argument(
        "--target",
        type=per_second,
        metavar="RATE",
        help="operations per second that are asked for (10000/s, 10k/s): met, missed, and how far the fix would get",
    )


def add_fold_option(parser: argparse.ArgumentParser) -> None:
    """`--fold-templates`, of the commands that name functions."""
    parser.add_argument(
        "--fold-templates",
        action="store_true",
        help="count all instances of a C++ template as one function (inlined code is always its caller's)",
    )


def add_runs_option(parser: argparse.ArgumentParser) -> None:
    """`--runs`, of the commands that record."""
    parser.add_argument(
        "--runs",
        type=positive,
        default=1,
        metavar="N",
        help="make N recordings, one after the other, and judge them together (default: 1; 3 or more tell what holds)",
    )


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """Options that `record` and `profile` share."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the recording, new or empty (default: ./storeprof-runs/TIME-NAME)",
    )
    parser.add_argument(
        "--overhead-budget",
        type=percent,
        default=1.0,
        metavar="PERCENT",
        help="CPU time the observer may use, of the usable CPUs, and probes, of the program's own (default: 1); "
        "probes time fewer operations rather than exceed it",
    )
    parser.add_argument("--no-perf", action="store_true", help="do not run perf beside the program")
    parser.add_argument(
        "--call-graph",
        choices=("auto", "fp", "dwarf"),
        default="auto",
        help="how perf takes native stacks: by frame pointers (cheap; wrong where code keeps none), by copies of "
        "(dwarf), or as the program and its libraries allow (default: auto)",
    )
    parser.add_argument("--no-alloc-hook", action="store_true", help="do not sample the program's allocations")
    parser.add_argument(
        "--subprocesses",
        action=argparse.BooleanOptionalAction,
        help="observe the program's children too (default: of a COMMAND yes, of a process attached to no)",
    )
