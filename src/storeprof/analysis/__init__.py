"""From a recording to findings: pure functions, each with one input and one output."""
