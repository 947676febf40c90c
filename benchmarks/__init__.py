"""What things cost: tables to read, never a gate."""
