"""What a stack means is handed down the tree of stacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.idle import History
from storeprof.analysis.accounting.stacks import Place, Stacks

LIBRARY = ("json", "zlib")


class Tables:
    """`main > put > json > zlib`, `main > get`, and a stack that is library code all through."""

    def sql(self, query: str) -> dict[str, np.ndarray[Any, Any]]:
        """Rows of `frames` or `stacks`."""
        names = np.array(["main", "put", "json", "zlib", "get"], dtype=object)
        if "FROM frames" in query:
            none = np.ma.masked_all(5, dtype=object)
            line = np.arange(5) * 10
            return {
                "frame_id": np.arange(5), "kind": np.array(["python"] * 5), "function": names, "module": none,
                "file": names, "line": line, "first_line": line, "binary": none,
                "library": np.isin(names, LIBRARY),
            }  # fmt: skip
        return {
            "stack_id": np.array([0, 1, 2, 3, 4, 7, 8]),
            "parent_id": np.array([-1, 0, 1, 2, 0, -1, 7]),
            "frame_id": np.array([0, 1, 2, 3, 4, 2, 3]),
        }


def stacks() -> Stacks:
    """Those stacks."""
    return Stacks(Tables())  # type: ignore[arg-type]


def test_a_stack_is_charged_to_the_youngest_frame_of_the_program() -> None:
    """Library frames below it are named as what it called: the one it called itself."""
    known = stacks()
    assert known.place_functions(np.array([0, 1, 2, 3, 4])).tolist() == [0, 1, 1, 1, 4]
    assert known.place(3) == Place(function=1, line=10, callee=2)
    assert known.place(4) == Place(function=4, line=40, callee=-1)


def test_library_code_without_a_caller_stands_for_itself() -> None:
    """A stack without a frame of the program is charged to its leaf."""
    assert stacks().place(8) == Place(function=3, line=30, callee=-1)


def test_no_stack_and_a_lost_stack_have_no_place() -> None:
    """-1, a number that is not in the table, and one beyond it."""
    known = stacks()
    assert known.place_functions(np.array([-1, 5, 99])).tolist() == [-1, -1, -1]
    assert known.place(-1) is None
    assert known.frames(5) == ()


def test_a_function_is_on_all_stacks_below_it() -> None:
    """Whether a function is on a stack is known for all stacks at once."""
    assert stacks().having(1, np.array([0, 1, 3, 4, -1])).tolist() == [False, True, True, False, False]


def test_a_loop_is_entered_once() -> None:
    """`main` stays on the stack and spans the thread; `put` goes and comes back."""
    history = History(np.array([0, *[1, 4, 3, -1] * 50]), stacks())
    assert history.is_loop(0)
    assert history.span(0) == 1.0
    assert not history.is_loop(1)
    assert not history.is_loop(2) or history.span(2) < 1
    assert history.span(99) == 0.0
