"""Pure composition of the rooms into one router or client, and its configuration."""
