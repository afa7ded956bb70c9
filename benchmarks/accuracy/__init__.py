"""Scores a profiler on planted programs whose cause is known; `benchmarks/accuracy.py` is its command."""
