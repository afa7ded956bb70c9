"""Storage engines behind one narrow interface, for the workload driver."""
