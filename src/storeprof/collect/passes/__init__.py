"""Tools that distort, each run in a pass of its own over the same workload."""
