"""A stand-in for the node: keeps its outside contract (docs/architecture.md) and carries nothing.

It lets tests of the orchestrator fail on purpose: `lacks=LAYER` in `[private-network]` stops it
short of a layer, or makes it crash. Names resolve to underlay addresses, so pages travel, but
through no onion path.
"""
