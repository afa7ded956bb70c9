"""The operation of native code by its stack: perf's samples know their calls, but not the operation they fell into.

A probe of C++ knows its file and line, and a stack the functions on the way: what is below the function that holds the
probe of an operation is that operation's. Code before the probe in that function counts as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import ON_CPU
from storeprof.analysis.context import Context
from storeprof.views.wall import operation_numbers

Array = np.ndarray[Any, Any]


def operations_of_rows(context: Context) -> tuple[Array, float]:
    """For each row of `busy` 1 + the number of its operation, 0 outside, native code by its stack.

    Also the CPU seconds of native code that looks saw inside operations and no stack gives to one.
    """
    rows, tree = context.busy, context.operations
    number = operation_numbers(tree, rows)
    native = np.array(sorted(context.native.native_threads), dtype=np.int64)
    asked = np.flatnonzero((number == 0) & np.isin(rows.thread, native) & np.isin(rows.category, ON_CPU))
    if len(asked) == 0 or not tree.names:
        return number, 0.0
    hosts = _hosts(context)
    distinct, which = np.unique(rows.stack[asked], return_inverse=True)
    of_stack = [_outermost(context, stack, hosts) for stack in distinct.tolist()]
    number[asked] = np.array(of_stack, dtype=np.int64)[which]
    seen = context.in_operations
    inside = np.isin(seen.thread, native) & np.isin(seen.category, ON_CPU) & (operation_numbers(tree, seen) > 0)
    given = rows.weight_ns[asked][number[asked] > 0].sum(dtype=np.float64)
    return number, max(0.0, float(seen.weight_ns[inside].sum(dtype=np.float64) - given)) / 1e9


def _outermost(context: Context, stack: int, hosts: dict[int, int]) -> int:
    """Operation of a stack: of the outermost function that holds an operation's probe; 0 without one."""
    frames = reversed(context.stacks.frames(stack)) if stack >= 0 else ()
    return next((hosts[frame.function] for frame in frames if frame.function in hosts), 0)


def _hosts(context: Context) -> dict[int, int]:
    """1 + the number of the operation whose probe stands in a native function, by function."""
    tree = context.operations
    roots = [node for one in tree.operations for node in one.nodes]
    listed = ", ".join(map(str, roots or [-1]))
    probes = context.recording.sql(f"SELECT node, file, line FROM scope_nodes WHERE node IN ({listed}) AND line > 0")
    last = context.recording.sql(
        "SELECT file, first_line, max(line) AS line FROM frames WHERE kind = 'native' AND file IS NOT NULL GROUP BY ALL"
    )
    ends = {
        (file, int(first)): int(line)
        for file, first, line in zip(*(np.ma.asarray(last[name]).tolist() for name in last), strict=True)
        if first is not None and line is not None
    }
    names = tree.names
    columns = (np.ma.asarray(probes[name]).tolist() for name in ("node", "file", "line"))
    number = {
        (file, line): 1 + names.index(tree.operation_of_node[node]) for node, file, line in zip(*columns, strict=True)
    }
    found: dict[int, int] = {}
    for at, function in enumerate(context.stacks.functions):
        if function.kind != "native" or function.file is None or function.line is None:
            continue
        end = ends.get((function.file, function.line), 0)
        inside = [
            (line, one)
            for (file, line), one in number.items()
            if file and f"/{function.file}".endswith(f"/{file.lstrip('./')}") and function.line <= line <= end
        ]
        if inside:
            found[at] = min(inside)[1]
    return found
