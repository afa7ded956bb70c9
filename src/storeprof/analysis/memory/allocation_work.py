"""What part of a function's CPU time goes to making, copying and freeing memory, by perf's native frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.native_places import close_pairs
from storeprof.analysis.accounting.stacks import Function, Stacks
from storeprof.analysis.context import Context

Array = np.ndarray[Any, Any]

# malloc and its parts (glibc, jemalloc, tcmalloc, mimalloc), C++'s operators, CPython's allocators and deallocators.
# Names are whole: std::vector<…, std::allocator<…>> is no allocator.
_ALLOCATOR = re.compile(
    r"""^(?:
      (?:_int_|__libc_)?(?:malloc|free|realloc|calloc|memalign|cfree|aligned_alloc) | operator\ (?:new|delete).*
    | sysmalloc | systrim.* | malloc_consolidate | unlink_chunk.* | tcache_\w+ | (?:je|tc|mi)_\w+
    | _?Py(?:Object|Mem)_(?:Raw)?(?:Malloc|Calloc|Realloc|Free)
    | _?PyObject_GC_(?:New|NewVar|Del|Resize|Track|UnTrack|Alloc)
    | _Py_(?:NewReference|Dealloc) | \w*dealloc | _PyTrash\w* | gc_alloc\w* | tuple_alloc | list_resize
    | Py(?:Tuple|List|Dict|Bytes|Set)_New | \(anonymous\ namespace\)::(?:py_)?(?:malloc|free|realloc|calloc)
    )$""",
    re.X,
)
_COPY = re.compile(r"^_*mem(?:move|cpy|set)(?:_\w+)?$")
_INTERPRETER = "_PyEval_EvalFrameDefault"
NEITHER, ALLOCATING, COPYING = 0, 1, 2


@dataclass(frozen=True)
class AllocationWork:
    """Of a function's CPU time: parts spent in allocators and in copying memory, and from how many samples."""

    allocating: float
    copying: float
    samples: int


@dataclass(frozen=True)
class AllocationSamples:
    """Function of each usable sample, and what it was doing: ALLOCATING, COPYING or NEITHER."""

    function: Array
    doing: Array

    def of(self, function: int) -> AllocationWork:
        """The parts of one function; nothing without samples."""
        doing = self.doing[self.function == function]
        allocating, copying = (np.count_nonzero(doing == one) / max(len(doing), 1) for one in (ALLOCATING, COPYING))
        return AllocationWork(allocating, copying, len(doing))


def allocation_samples(context: Context) -> AllocationSamples:
    """perf's samples of native threads, and those next to looks at Python functions."""
    native, stacks = context.native, context.stacks
    look, sample = close_pairs(context.looks, native)
    beside = native.cpu_stack[sample]
    of_native = native.is_native[native.cpu_thread]
    own = native.cpu_stack[of_native]
    stack = np.concatenate([beside, own])
    distinct, position = np.unique(stack, return_inverse=True)
    doing = np.array([_doing(stacks, one) for one in distinct.tolist()], dtype=np.int8)
    return AllocationSamples(
        np.concatenate([stacks.place_functions(context.looks.stack[look]), stacks.place_functions(own)]),
        doing[position] if len(distinct) else np.zeros(0, dtype=np.int8),
    )


def _doing(stacks: Stacks, stack: int) -> int:
    """What the code below the youngest frame of the program, or of the interpreter, is doing."""
    found = NEITHER
    for frame in stacks.frames(stack):
        function = stacks.functions[frame.function]
        if function.kind == "python" or function.name == _INTERPRETER:
            break
        if is_allocator(function.name):
            return ALLOCATING
        if _is_of_program(function):
            break
        if _COPY.match(function.name):
            found = COPYING
    return found


def is_allocator(name: str) -> bool:
    """Whether a native function of this name makes or frees memory."""
    return _ALLOCATOR.match(name) is not None


def _is_of_program(function: Function) -> bool:
    return not function.library and function.kind != "kernel"
