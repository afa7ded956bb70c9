"""Native stacks as tables: what perf's parser produces, and other native samplers' may."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[Any]

NONE: Final = 0xFFFFFFFF
NO_ADDRESS: Final = 0xFFFF_FFFF_FFFF_FFFF
CPU: Final = 0
SWITCH: Final = 1
UNKNOWN: Final = "[unknown]"

SAMPLE_DTYPE: Final = np.dtype(
    [
        ("t_ns", "<i8"),  # CLOCK_MONOTONIC
        ("pid", "<i4"),
        ("tid", "<i4"),
        ("weight", "<u8"),  # nanoseconds for a CPU sample; how many switches it stands for, for a switch
        ("stack", "<u4"),  # row of `stacks`, the stack's innermost frame; NONE: no frame at all
        ("kind", "u1"),  # CPU or SWITCH
        ("state", "S1"),  # a switch: S interruptible, D uninterruptible …; empty for CPU
        ("broken", "?"),  # the stack does not reach a thread's start
    ]
)
STACK_DTYPE: Final = np.dtype([("parent", "<u4"), ("frame", "<u4")])  # parent: the caller's row, or NONE
FRAME_DTYPE: Final = np.dtype(
    [
        ("symbol", "<u4"),
        ("dso", "<u4"),
        ("offset", "<u8"),  # in the file `dso`; NO_ADDRESS for the kernel, JIT code, memory without a file
        ("function_offset", "<u8"),  # where the function begins, in the same file
        ("is_caller", "?"),  # the offset is a return address: the call stands just before it
        ("kernel", "?"),
    ]
)


@dataclass(frozen=True, slots=True)
class StackQuality:
    """How far the stacks can be trusted: shares of samples, 0 to 1, NaN without samples."""

    samples: int
    broken: float
    unknown_leaf: float


@dataclass(frozen=True, slots=True)
class NativeSamples:
    """Samples with interned stacks: `samples[i].stack` -> `stacks` (leaf to root by parent) -> `frames`.

    `symbols` and `dsos` are the names that frames refer to; `thread_names` maps tid to its last command name.
    `lost` counts samples that the kernel had no room for; `cut_short` says that the input ended in the middle
    of a line.
    """

    samples: Table
    stacks: Table
    frames: Table
    symbols: Sequence[str]
    dsos: Sequence[str]
    thread_names: dict[int, str]
    lost: int = 0
    cut_short: bool = False

    def stack_frames(self, stack: int) -> list[int]:
        """The rows of `frames` on a stack, innermost first."""
        rows = []
        while stack != NONE:
            rows.append(int(self.stacks["frame"][stack]))
            stack = int(self.stacks["parent"][stack])
        return rows

    def stack_symbols(self, stack: int) -> list[str]:
        """The function names on a stack, innermost first."""
        return [self.symbols[self.frames["symbol"][row]] for row in self.stack_frames(stack)]

    def quality(self, kind: int = CPU) -> StackQuality:
        """The share of broken stacks and of innermost frames without a name, over the samples of one kind."""
        chosen = self.samples[self.samples["kind"] == kind]
        if not len(chosen):
            return StackQuality(0, float("nan"), float("nan"))
        named = np.zeros(len(chosen), dtype=bool)
        found = chosen["stack"] != NONE
        leaf_symbols = self.frames["symbol"][self.stacks["frame"][chosen["stack"][found]]]
        named[found] = np.array([name != UNKNOWN for name in self.symbols], dtype=bool)[leaf_symbols]
        return StackQuality(len(chosen), float(chosen["broken"].mean()), float(1 - named.mean()))
