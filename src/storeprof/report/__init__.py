"""Words and pictures from a findings document; computes nothing."""
