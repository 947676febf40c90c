"""Primitives without layouts: signatures, key agreement, ciphers, Noise."""
