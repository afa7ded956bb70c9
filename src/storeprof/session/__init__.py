"""One recording session: start or attach, observe, keep what was seen, finish the tables."""
