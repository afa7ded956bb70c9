"""What the slow operations do that the usual ones do not: the closed tail budget."""
