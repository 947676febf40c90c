"""What things cost and how fast they are: `python -m benchmarks`. Tables to read, never a gate."""
