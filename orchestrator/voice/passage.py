"""A talker's datagrams followed from one end to the other, by what was seen on the way. Pure.

A server of voice opens each datagram and closes it anew for each listener, so payloads tell them
apart on the way to the server and on the way from it, and the time tells which became which: it
sends on at once. Sightings are (when in µs, payload), in the order in which they were seen.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["VOICE_BYTES", "Sighting", "followed"]

VOICE_BYTES = 32
"""Shorter datagrams are Mumble's pings."""
ONWARD_US = 100_000
"""What the server sends later than that is another one."""
SECOND_US = 1_000_000

Sighting = tuple[int, bytes]


def followed(
    sent: Sequence[Sighting],
    at_server: Sequence[Sighting],
    from_server: Sequence[Sighting],
    arrived: Sequence[Sighting],
) -> tuple[list[float], dict[int, float]]:
    """When each was sent, in seconds, and when those came that did, by their number.

    Args:
        sent: as they left the talker; only these are counted.
        at_server: as they came to the server, whoever sent them.
        from_server: as they left it for the listener, who hears nobody else.
        arrived: as they came there.
    """
    numbers = {payload: number for number, (_, payload) in enumerate(sent)}
    ended = {payload: at for at, payload in arrived}
    came: dict[int, float] = {}
    onward = iter(from_server)
    out = next(onward, None)
    for at, payload in at_server:
        number = numbers.get(payload)
        if number is None:
            continue
        while out is not None and out[0] < at:
            out = next(onward, None)
        if out is None:
            break
        if out[0] - at <= ONWARD_US:
            if (end := ended.get(out[1])) is not None:
                came[number] = end / SECOND_US
            out = next(onward, None)
    return [at / SECOND_US for at, _ in sent], came
