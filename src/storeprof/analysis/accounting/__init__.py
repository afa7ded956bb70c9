"""Busy wall time put in its places: looks divide what the kernel measured."""
