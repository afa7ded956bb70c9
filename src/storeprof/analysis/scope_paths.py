"""Names of the scopes that lead to each node of the scope tree."""

from __future__ import annotations

from storeprof.recording.model import Recording, rows_of


def scope_paths(recording: Recording) -> dict[int, list[str]]:
    """By node the names from the outermost scope to it; 0, outside any scope, has none."""
    nodes = rows_of(recording.sql("SELECT node, coalesce(parent, 0) AS parent, name FROM scope_nodes"))
    found: dict[int, list[str]] = {0: []}
    for row in sorted(nodes, key=lambda one: int(one["node"])):  # parents have smaller numbers than their children
        found[row["node"]] = [*found.get(row["parent"], []), row["name"]]
    return found
