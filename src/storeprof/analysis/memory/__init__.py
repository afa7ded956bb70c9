"""Where memory grows, and what allocating costs."""
