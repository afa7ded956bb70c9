"""What this process's probes have counted: read at both ends of a test, for an operation is one or it is none."""

from __future__ import annotations

import sys
from collections import Counter

from storeprof.analysis.operations import operation_roots
from storeprof.observe.probe_memory import BLOCK_LINES, NODE_LINES, STAYS, ProbeMemory
from storeprof.session.tabulate_scopes import short_names


def operations_done() -> Counter[str]:
    """Operations by name since the start of the process; none where nothing carries a probe."""
    recorder = sys.modules.get("storeprof.probe._recorder")
    fd = recorder.memory_fd() if recorder else -1
    if fd < 0:
        return Counter()
    memory = ProbeMemory(fd)
    parent: dict[int, int] = {}
    flags: dict[int, int] = {}
    counts: dict[int, int] = {}
    sites: dict[int, tuple[str, str]] = {}
    for block in memory.linked(memory.first_block(), (), BLOCK_LINES):
        first_node, _ = memory.firsts_of(block)
        for line in memory.linked(first_node, (), NODE_LINES, next_word=2):
            parent[line], number = (int(word) for word in memory.words[line, :2])
            name, file, _ = memory.name(number)
            if file not in STAYS:  # what is counted of a lock is no scope
                flags[line], counts[line], sites[line] = (
                    int(memory.words[line, 3]),
                    int(memory.quads[line, 2]),
                    (name, file),
                )
            else:
                del parent[line]
    called = dict(zip(sites, short_names([{"name": name, "file": file} for name, file in sites.values()]), strict=True))
    done: Counter[str] = Counter()
    for line, root in operation_roots(parent, flags).items():
        if root == line:
            done[str(called[line])] += counts[line]
    return done
