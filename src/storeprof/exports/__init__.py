"""Exports: a recording in the formats of viewers that people already have; pure functions from it to bytes."""
