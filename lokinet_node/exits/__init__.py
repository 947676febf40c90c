"""Exits: which of them a packet to the internet takes, and what an exit lets through."""
