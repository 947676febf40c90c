"""Numbers and words that more than one room needs, each with its source."""

from __future__ import annotations

# What the specification says (Lokinet 0.9.11, so that its users find what they know).

DEFAULT_NETID = "lokinet"
PUBLIC_NETIDS = frozenset({"", "lokinet", "gamma"})
"""Names of the public networks; test parameters are refused under them."""

MAX_NETID_SIZE = 8
MAX_HOPS = 8
DEFAULT_HOPS = 4
DEFAULT_LINK_PORT = 1090

# What we chose.

PROGRAM = "lokinet-0.1.0"
"""What `llarp.version` answers; the name of the program and its version."""
