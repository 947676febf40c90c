"""Byte layouts between nodes and on disk: bytes to values and back, no keys, no I/O."""
