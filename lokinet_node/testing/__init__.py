"""The in-memory network and its builders; imported by tests only."""
