"""Several runs judged together: intervals are between them."""
