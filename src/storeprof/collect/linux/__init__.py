"""Collectors that rest on tools and files of Linux."""
