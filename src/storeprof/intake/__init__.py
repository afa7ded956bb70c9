"""Outputs of tools, recorded elsewhere -> a recording: recognised by content, read, joined."""
