"""The Python API: what `import storeprof` offers beside the probe. The command line is built on the same."""
