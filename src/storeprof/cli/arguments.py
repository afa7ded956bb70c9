"""Arguments that several commands take, and their types."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storeprof.analysis.settings import Settings


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


def function_names(text: str) -> tuple[str, ...]:
    """Names of functions: those in a file, one a line (`#` begins a comment), or the one given."""
    path = Path(text)
    if not (path.is_file() or "/" in text):
        if not text.strip():
            raise argparse.ArgumentTypeError("an empty name; name a function, as StorageImpl.write, or a file of names")
        return (text.strip(),)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise argparse.ArgumentTypeError(f"{text}: can't be read ({why}); name a file with a function a line") from None
    names = tuple(name for line in lines if (name := line.partition("#")[0].strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text}: names no function; write one a line, as StorageImpl.write")
    return names


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


def add_expect_option(parser: argparse.ArgumentParser) -> None:
    """`--expect`, of all commands that record or judge."""
    parser.add_argument(
        "--expect",
        type=function_names,
        action="append",
        default=[],
        metavar="FILE|NAME",
        help="functions that ought to carry a probe: a file with a name a line, or a name (StorageImpl.write, "
        "'kv::Store::*'; repeatable); the report says which carry none and which were never entered",
    )


def add_judging_options(parser: argparse.ArgumentParser) -> None:
    """Options of the commands that judge what is already recorded."""
    add_target_option(parser)
    add_fold_option(parser)
    add_expect_option(parser)


def expected(options: argparse.Namespace) -> tuple[str, ...]:
    """The names that `--expect` gave, in their order."""
    return tuple(dict.fromkeys(name for names in options.expect for name in names))


def asked_for(options: argparse.Namespace) -> Settings:
    """What `add_judging_options` asked for."""
    from storeprof.analysis.settings import Settings

    return Settings(target_per_s=options.target, fold_templates=options.fold_templates, expected=expected(options))


def asked_to_judge(options: argparse.Namespace) -> dict[str, Any]:
    """What a recording keeps of it: the target, and functions that ought to carry a probe."""
    kept = {"target_per_s": options.target, "expected": list(expected(options))}
    return {name: value for name, value in kept.items() if value}


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
