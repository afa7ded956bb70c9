"""One small module per kind of finding: a rule, a size with an interval, a gain, a recommendation."""
