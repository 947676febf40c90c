"""Onion paths: building them, keeping them, and relaying cells for others."""
