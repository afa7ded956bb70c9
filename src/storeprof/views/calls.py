"""The calling contexts of a recording as one tree of functions: Python, native and kernel frames alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.stacks import Function, Stacks

Array = np.ndarray[Any, Any]

ROOT = 0
KINDS = ("python", "native", "kernel")


@dataclass(frozen=True)
class Folded:
    """A tree with fewer nodes: their `parent` (-1 of the root) and `function`.

    `becomes`: for every node of the whole tree the one it is part of; `stays`: whether that is itself.
    """

    parent: Array
    function: Array
    becomes: Array
    stays: Array


class CallTree:
    """Nodes by the functions on the way to them; node 0 is the root, and parents come before their children.

    Lines are left out: a function that calls from two lines is one node, or ten minutes would not fit a page. One
    that calls itself is one node, too (a comprehension is its function calling itself).
    """

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._children: dict[tuple[int, int], int] = {}
        self._node_of_stack: dict[int, int] = {-1: ROOT}
        self.parent: list[int] = [-1]
        self.function: list[int] = [-1]

    def nodes(self, stack: Array) -> Array:
        """Node of each stack; the root where there is none."""
        distinct, which = np.unique(stack, return_inverse=True)
        return np.array([self._node(one) for one in distinct.tolist()], dtype=np.int64)[which]

    def _node(self, stack: int) -> int:
        known = self._node_of_stack.get(stack)
        if known is not None:
            return known
        at = ROOT
        for frame in reversed(self._stacks.frames(stack)):
            if frame.function == self.function[at]:
                continue
            key = (at, frame.function)
            if key not in self._children:
                self._children[key] = len(self.parent)
                self.parent.append(at)
                self.function.append(frame.function)
            at = self._children[key]
        self._node_of_stack[stack] = at
        return at

    def folded(self, weights: Array, most: int) -> Folded:
        """The tree with at most about `most` nodes: the lightest become part of their callers.

        `weights`: what each node has of its own, as a share of the whole (several sums may be added).
        """
        parent = np.array(self.parent, dtype=np.int64)
        function = np.array(self.function, dtype=np.int64)
        inclusive = weights.astype(np.float64)
        for node in range(len(parent) - 1, 0, -1):
            inclusive[parent[node]] += inclusive[node]
        stays = inclusive > 0
        if int(stays.sum()) > most:
            stays &= inclusive >= np.sort(inclusive)[-most]
        stays[ROOT] = True
        number = np.cumsum(stays) - 1
        becomes = np.zeros(len(parent), dtype=np.int64)
        for node in range(1, len(parent)):
            becomes[node] = number[node] if stays[node] else becomes[parent[node]]
        parent_kept = becomes[parent[stays]]
        parent_kept[ROOT] = -1
        return Folded(parent_kept, function[stays], becomes, stays)


def describe_function(one: Function) -> list[Any]:
    """A function as the page has it: name, kind, file, line, whether it is library code, binary."""
    kind = KINDS.index(one.kind) if one.kind in KINDS else 1
    return [one.name, kind, one.file, one.line, int(one.library), one.binary]
