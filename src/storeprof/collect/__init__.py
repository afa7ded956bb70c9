"""Outside tools: one module per tool, each with a pure command line and a pure parser."""
