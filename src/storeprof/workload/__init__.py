"""Seeded workloads and the driver that runs them on an engine: what `storeprof profile` studies."""
