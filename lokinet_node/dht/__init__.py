"""Blinded introsets at the routers closest to them: publish, store, look up."""
