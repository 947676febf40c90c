"""Addresses that are not somebody on the public internet, by what makes them so.

The one list of them: whoever refuses some puts together the groups that concern it. From the
registries of RFC 6890 and its updates (RFC 9637, 9602), and Lokinet's list of bogons. IPv4 as
itself, never in its IPv6 forms.
"""

from __future__ import annotations

from typing import Final

LOCAL: Final = (
    "0.0.0.0/8",  # this host
    "127.0.0.0/8",
    "169.254.0.0/16",  # this link, and where clouds keep their secrets
)
GROUPS: Final = (
    "224.0.0.0/4",
    "240.0.0.0/4",  # reserved, broadcast
)
PRIVATE: Final = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
UNROUTED: Final = (
    "192.0.0.0/24",
    "192.0.2.0/24",  # documentation, as are the last two
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
)
"""Nobody's: the internet does not route them, and no network of one's own uses them."""

LOCAL6: Final = (
    "::/128",
    "::1/128",
    "fe80::/10",
    "fec0::/10",  # site-local, RFC 3879: as if private
)
GROUPS6: Final = ("ff00::/8",)
PRIVATE6: Final = ("fc00::/7",)
UNROUTED6: Final = (
    "2001::/23",  # protocols' own: Teredo, benchmarks, ORCHIDs
    "2001:db8::/32",
    "3fff::/20",
)
"""Within PUBLIC6; outside it nothing is routed."""
EMBEDDED6: Final = (
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
)
"""Forms in which an IPv6 address names an IPv4 one, beside the mapped one."""

PUBLIC6: Final = "2000::/3"
"""The only part of IPv6 that is given to anybody (RFC 4291, section 2.4)."""
