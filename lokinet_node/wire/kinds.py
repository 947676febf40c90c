"""Kinds and status codes of control messages: docs/wire.md, sections 4 and 5."""

from __future__ import annotations

from enum import IntEnum


class LinkKind(IntEnum):
    """Kinds of messages on a link, between two neighbours."""

    PING = 1
    PONG = 2
    BUILD = 3
    BUILD_REPLY = 4
    CLOSE = 5
    BROKEN = 6
    CONTACTS_REQUEST = 7
    CONTACTS = 8
    GOSSIP = 9
    STORE = 10
    STORED = 11
    FIND = 12
    FOUND = 13


class PathKind(IntEnum):
    """Kinds of messages on a path, between its owner and its last hop."""

    PING = 1
    PONG = 2
    PUBLISH = 20
    PUBLISHED = 21
    LOOKUP = 22
    RESULT = 23
    REGISTER = 24
    REGISTERED = 25
    GONE = 26
    RELEASE = 27
    FIND_NAME = 28
    NAME = 29


class Status(IntEnum):
    """What became of a request."""

    OK = 0
    NOT_FOUND = 1
    REFUSED = 2
    UNREACHABLE = 3
    STALE = 4
    BUSY = 5


class BuildStatus(IntEnum):
    """What a hop answers to its record in a path build (docs/wire.md, section 5)."""

    OK = 0
    REFUSED = 1
    NO_SUCH_NEXT_HOP = 2
    NEXT_HOP_UNREACHABLE = 3
    BUSY = 4
    DUPLICATE = 5
