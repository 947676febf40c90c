"""End-to-end sessions between two addresses, over any of their paths."""
