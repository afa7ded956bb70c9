"""A small log-structured merge store in several modules, healthy; planted programs build on it."""
