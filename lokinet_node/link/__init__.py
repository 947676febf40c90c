"""Authenticated links between neighbours: handshake, sealing, replay, control channel."""
