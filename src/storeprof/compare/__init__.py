"""Before and after: what changed, by how much, how surely, and where; pure functions over what was measured."""
