"""Functions of a binary by a pattern: what a uprobe can be put on, under the names that people know.

Grammar of `nm -P --defined-only`: a line is `name type address size`; `nm -C` prints the demangled name instead, and
keeps the order. Text symbols are those of types t, T, w and W.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

NM_TIMEOUT_S: Final = 60.0
# Each probe is attached by itself (some milliseconds), and each hit costs the program about a microsecond.
MOST_FUNCTIONS: Final = 200
_SYMBOL: Final = re.compile(r"^(.*) [tTwWiI] ([0-9a-f]+)(?: [0-9a-f]+)?$")


@dataclass(frozen=True, slots=True)
class NativeFunction:
    """A function of `binary`: its symbol as the linker knows it, and its demangled name without arguments."""

    binary: Path
    symbol: str
    name: str


def nm_command(binary: Path, *, demangle: bool, dynamic: bool = False) -> list[str]:
    """The `nm` whose output `parse_symbols` reads."""
    options = ["-C"] if demangle else []
    return ["nm", "-P", "--defined-only", "--no-sort", *options, *(["-D"] if dynamic else []), str(binary)]


def parse_symbols(mangled: str, demangled: str, binary: Path) -> list[NativeFunction]:
    """Functions from the two outputs of `nm` for one binary, in its order.

    Raises CollectorError when the two do not belong together.
    """
    first, second = mangled.splitlines(), demangled.splitlines()
    if len(first) != len(second):
        raise CollectorError(f"nm {binary}: {len(first)} symbols, and {len(second)} when demangled")
    found: dict[str, NativeFunction] = {}
    for plain, pretty in zip(first, second, strict=True):
        symbol, name = _SYMBOL.match(plain), _SYMBOL.match(pretty)
        if symbol and name:
            # One place may have several names (constructors have two): it is one function, under the first of them.
            found.setdefault(symbol[2], NativeFunction(binary, symbol[1], without_arguments(name[1])))
    # Of clones that the compiler made (.cold, .isra) only the function itself is entered by a call.
    return [one for one in found.values() if "." not in one.symbol]


def without_arguments(name: str) -> str:
    """`tsdb::StorageImpl::write(std::string const&)` -> `tsdb::StorageImpl::write`."""
    depth = 0
    for at, letter in enumerate(name):
        if letter in "<{[":
            depth += 1
        elif letter in ">}]":
            depth = max(0, depth - 1)
        elif (
            letter == "(" and not depth and not name.startswith("(anonymous", at) and not name[:at].endswith("operator")
        ):
            return name[:at]
    return name


def matching(functions: list[NativeFunction], pattern: str) -> list[NativeFunction]:
    """Those whose name matches a pattern with * and ?, whole or from a `::` on; case counts.

    `StorageImpl::*` finds `tsdb::StorageImpl::write`; library code (std::, __gnu_cxx::) has to be named outright.
    """
    regex = re.compile(f"(?:.*::)?{fnmatch.translate(pattern)}")
    named_outright = pattern.startswith(("std::", "__"))
    own = (one for one in functions if named_outright or not re.match(r"(std|__gnu_cxx|void std)\b|_", one.name))
    return [one for one in own if regex.match(one.name)]


def functions_of(binary: Path) -> list[NativeFunction]:
    """All functions of a binary; those of its dynamic table when it is stripped. Raises CollectorError."""
    for dynamic in (False, True):
        texts = []
        for demangle in (False, True):
            argv = nm_command(binary, demangle=demangle, dynamic=dynamic)
            done = run_tool(argv, timeout_s=NM_TIMEOUT_S)
            if done.status != 0:
                said = done.stderr.decode(errors="replace").strip().splitlines()
                raise CollectorError(said[-1] if said else f"nm {binary} failed")
            texts.append(done.stdout.decode(errors="replace"))
        found = parse_symbols(texts[0], texts[1], binary)
        if found:
            return found
    return []


def entries_of(binary: Path, patterns: tuple[str, ...]) -> list[NativeFunction]:
    """The functions of a binary that patterns name, each once.

    Raises CollectorError when a pattern names none, or all together name more than `MOST_FUNCTIONS`.
    """
    functions = functions_of(binary)
    chosen: dict[str, NativeFunction] = {}
    for pattern in patterns:
        found = matching(functions, pattern)
        if not found:
            raise CollectorError(
                f"entries={pattern}: {binary.name} has no function of that name ({len(functions)} looked at)"
            )
        chosen.update((one.symbol, one) for one in found)
    if len(chosen) > MOST_FUNCTIONS:
        raise CollectorError(
            f"entries={','.join(patterns)}: {len(chosen)} functions, and at most {MOST_FUNCTIONS} are watched; "
            "name fewer, as in entries='StorageImpl::*'"
        )
    return list(chosen.values())
