"""Two versions measured in turn, pair by pair of processes; sides of a comparison from recordings and baselines."""
