"""Control messages: their payloads, bytes to values and back; kinds and codes from kinds.py.

The same channel runs on each link and between a path's owner and its last hop; its frames are
laid out elsewhere. Rules: `decode_x` takes one whole payload, ignores nothing that follows it and
raises WireError only; `encode_x` is its twin and trusts the sizes of the value it is given.
Messages that travel side by side in both directions under two kinds share one layout:

    BUILD, BUILD_REPLY          Build            PUBLISH                     Publish
    CLOSE                       path id          PUBLISHED, STORED           StoreAnswer
    BROKEN                      Broken           LOOKUP                      Lookup
    CONTACTS                    ContactsPart     RESULT, FOUND               FindAnswer
    GOSSIP                      list of records  REGISTER, GONE, RELEASE     handle
    STORE                       Store            REGISTERED                  Registered
    FIND                        Find             PING, PONG                  token

Layouts: docs/wire.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import KEY_SIZE, BlindedKey, Handle, PathID, RouterID
from lokinet_node.wire.kinds import BuildStatus as BuildStatus
from lokinet_node.wire.kinds import LinkKind as LinkKind
from lokinet_node.wire.kinds import PathKind as PathKind
from lokinet_node.wire.kinds import Status as Status

if TYPE_CHECKING:
    from collections.abc import Iterable

Payload: TypeAlias = bytes | memoryview

# What the specification says.

MESSAGE_LIMIT: Final = 16 * 1024
"""Bytes of one message before it is cut into fragments."""
SLOTS_SIZE: Final = 8 * 160
INTROSET_LIMIT: Final = 4096
BROKEN_BLOB_SIZE: Final = 1 + KEY_SIZE + 16
ORDERS: Final = 4
"""An order is which of the four routers closest to a blinded key is asked."""
FIRST_FREE_HANDLE: Final = 2
"""Handle 0 is control, handle 1 the router itself; the others may be registered."""

_U64: Final = Struct("!Q")
_REQUEST_CODE: Final = Struct("!QB")
_PARTS: Final = Struct("!BB")
_RECORD_LENGTH: Final = Struct("!H")


@dataclass(frozen=True, slots=True)
class Build:
    """A path build on its way out or its reply on the way back: eight slots, 1280 bytes."""

    path_id: PathID
    slots: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """A path is broken further on; the blob of 49 bytes is sealed for the path's owner."""

    path_id: PathID
    blob: bytes


@dataclass(frozen=True, slots=True)
class Blame:
    """What the blob of Broken holds once opened."""

    reason: int
    router: RouterID


@dataclass(frozen=True, slots=True)
class ContactsPart:
    """Part `part` (from 0) of the whole contact list in `parts` messages; records are raw."""

    part: int
    parts: int
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """Keep this introset (raw, at most 4096 bytes)."""

    request: int
    introset: bytes


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What became of a Store or Publish."""

    request: int
    status: Status


@dataclass(frozen=True, slots=True)
class Find:
    """Send the introset held under this key."""

    request: int
    key: BlindedKey


@dataclass(frozen=True, slots=True)
class FindAnswer:
    """The introset (raw) that was asked for: present if and only if the status is OK."""

    request: int
    status: Status
    introset: bytes = b""


@dataclass(frozen=True, slots=True)
class Publish:
    """Store this introset at the router that is `order`-th closest to its key."""

    request: int
    order: int
    introset: bytes


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find the introset of this key at the router that is `order`-th closest to it."""

    request: int
    order: int
    key: BlindedKey


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of the registration of a handle."""

    handle: Handle
    status: Status


# --- ping, pong


def encode_token(token: int) -> bytes:
    """Payload of PING and PONG."""
    return _U64.pack(token)


def decode_token(payload: Payload) -> int:
    """64 bits that the answer repeats."""
    return _whole_u64(payload, "ping")


# --- path builds, on links


def encode_build(build: Build) -> bytes:
    """Payload of BUILD and BUILD_REPLY."""
    return _U64.pack(build.path_id) + build.slots


def decode_build(payload: Payload) -> Build:
    _check(len(payload) == _U64.size + SLOTS_SIZE, "build has another size")
    return Build(_path_id(payload), bytes(payload[_U64.size :]))


def encode_close(path_id: PathID) -> bytes:
    return _U64.pack(path_id)


def decode_close(payload: Payload) -> PathID:
    _check(len(payload) == _U64.size, "close has another size")
    return _path_id(payload)


def encode_broken(broken: Broken) -> bytes:
    return _U64.pack(broken.path_id) + broken.blob


def decode_broken(payload: Payload) -> Broken:
    _check(len(payload) == _U64.size + BROKEN_BLOB_SIZE, "broken has another size")
    return Broken(_path_id(payload), bytes(payload[_U64.size :]))


def encode_blame(blame: Blame) -> bytes:
    """Plaintext of the blob of BROKEN, 33 bytes."""
    return bytes((blame.reason,)) + blame.router


def decode_blame(plaintext: Payload) -> Blame:
    _check(len(plaintext) == 1 + KEY_SIZE, "blame has another size")
    return Blame(plaintext[0], RouterID(bytes(plaintext[1:])))


# --- contacts, on links


def encode_contacts(part: ContactsPart) -> bytes:
    """Payload of one CONTACTS message; see split_contacts."""
    return _PARTS.pack(part.part, part.parts) + encode_gossip(part.records)


def decode_contacts(payload: Payload) -> ContactsPart:
    """One part of the list; its records stay raw, so that a bad one spoils no other."""
    _check(len(payload) >= _PARTS.size, "contacts are cut short")
    part, parts = _PARTS.unpack_from(payload)
    _check(part < parts, "contacts part is out of range")
    return ContactsPart(part, parts, tuple(decode_gossip(payload[_PARTS.size :])))


def split_contacts(records: Iterable[bytes]) -> list[bytes]:
    """Payloads of the CONTACTS messages that carry a whole list; one even for an empty list.

    LocalProtocolError for more than 255 messages: a contact list is bounded by who keeps it.
    """
    groups = _groups(records, MESSAGE_LIMIT - _PARTS.size) or [()]
    if len(groups) > 0xFF:
        raise LocalProtocolError("a contact list takes at most 255 messages")
    return [
        encode_contacts(ContactsPart(part, len(groups), group)) for part, group in enumerate(groups)
    ]


def encode_gossip(records: Iterable[bytes]) -> bytes:
    """Payload of GOSSIP: raw contacts, each after its length."""
    return b"".join(_RECORD_LENGTH.pack(len(record)) + record for record in records)


def decode_gossip(payload: Payload) -> list[bytes]:
    """Raw contacts, not decoded."""
    records = []
    at = 0
    while at < len(payload):
        _check(at + _RECORD_LENGTH.size < len(payload), "record is cut short")
        (size,) = _RECORD_LENGTH.unpack_from(payload, at)
        at += _RECORD_LENGTH.size
        _check(0 < size <= len(payload) - at, "record has an impossible length")
        records.append(bytes(payload[at : at + size]))
        at += size
    return records


def split_gossip(records: Iterable[bytes]) -> list[bytes]:
    """Payloads of as many GOSSIP messages as the records need: none for none."""
    return [encode_gossip(group) for group in _groups(records, MESSAGE_LIMIT)]


# --- introsets, between routers


def encode_store(store: Store) -> bytes:
    return _U64.pack(store.request) + store.introset


def decode_store(payload: Payload) -> Store:
    _check(len(payload) > _U64.size, "store is cut short")
    return Store(_u64(payload), _introset(payload[_U64.size :]))


def encode_store_answer(answer: StoreAnswer) -> bytes:
    """Payload of STORED and PUBLISHED."""
    return _REQUEST_CODE.pack(answer.request, answer.status)


def decode_store_answer(payload: Payload) -> StoreAnswer:
    _check(len(payload) == _REQUEST_CODE.size, "answer has another size")
    request, status = _REQUEST_CODE.unpack(payload)
    return StoreAnswer(request, _status(status))


def encode_find(find: Find) -> bytes:
    return _U64.pack(find.request) + find.key


def decode_find(payload: Payload) -> Find:
    _check(len(payload) == _U64.size + KEY_SIZE, "find has another size")
    return Find(_u64(payload), BlindedKey(bytes(payload[_U64.size :])))


def encode_find_answer(answer: FindAnswer) -> bytes:
    """Payload of FOUND and RESULT."""
    return _REQUEST_CODE.pack(answer.request, answer.status) + answer.introset


def decode_find_answer(payload: Payload) -> FindAnswer:
    """Request, status and, if that is OK, the raw introset."""
    _check(len(payload) >= _REQUEST_CODE.size, "answer is cut short")
    request, code = _REQUEST_CODE.unpack_from(payload)
    status = _status(code)
    rest = payload[_REQUEST_CODE.size :]
    if status is Status.OK:
        _check(len(rest) > 0, "answer has no introset")
        return FindAnswer(request, status, _introset(rest))
    _check(len(rest) == 0, "answer without an introset is too long")
    return FindAnswer(request, status)


# --- introsets and handles, on paths


def encode_publish(publish: Publish) -> bytes:
    return _REQUEST_CODE.pack(publish.request, publish.order) + publish.introset


def decode_publish(payload: Payload) -> Publish:
    _check(len(payload) > _REQUEST_CODE.size, "publish is cut short")
    request, order = _REQUEST_CODE.unpack_from(payload)
    _check(order < ORDERS, "order is out of range")
    return Publish(request, order, _introset(payload[_REQUEST_CODE.size :]))


def encode_lookup(lookup: Lookup) -> bytes:
    return _REQUEST_CODE.pack(lookup.request, lookup.order) + lookup.key


def decode_lookup(payload: Payload) -> Lookup:
    _check(len(payload) == _REQUEST_CODE.size + KEY_SIZE, "lookup has another size")
    request, order = _REQUEST_CODE.unpack_from(payload)
    _check(order < ORDERS, "order is out of range")
    return Lookup(request, order, BlindedKey(bytes(payload[_REQUEST_CODE.size :])))


def encode_handle(handle: Handle) -> bytes:
    """Payload of REGISTER, GONE and RELEASE."""
    return _U64.pack(handle)


def decode_handle(payload: Payload) -> Handle:
    """A handle other than 0; whether it may be registered is for the router to say."""
    handle = _whole_u64(payload, "handle")
    _check(handle > 0, "handle 0 is control")
    return Handle(handle)


def encode_registered(registered: Registered) -> bytes:
    return _REQUEST_CODE.pack(registered.handle, registered.status)


def decode_registered(payload: Payload) -> Registered:
    _check(len(payload) == _REQUEST_CODE.size, "registered has another size")
    handle, status = _REQUEST_CODE.unpack(payload)
    return Registered(Handle(handle), _status(status))


# --- parts of payloads


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise WireError(problem)


def _u64(payload: Payload) -> int:
    value: int = _U64.unpack_from(payload)[0]
    return value


def _whole_u64(payload: Payload, name: str) -> int:
    _check(len(payload) == _U64.size, f"{name} has another size")
    return _u64(payload)


def _path_id(payload: Payload) -> PathID:
    path_id = _u64(payload)
    _check(path_id > 0, "path id 0 is the link's own control")
    return PathID(path_id)


def _status(code: int) -> Status:
    try:
        return Status(code)
    except ValueError:
        raise WireError(f"no status has the code {code}") from None


def _introset(view: Payload) -> bytes:
    _check(len(view) <= INTROSET_LIMIT, "introset is too long")
    return bytes(view)


def _groups(records: Iterable[bytes], limit: int) -> list[tuple[bytes, ...]]:
    """Records in their order, in groups that take at most `limit` bytes with their lengths."""
    groups: list[tuple[bytes, ...]] = []
    group: list[bytes] = []
    size = 0
    for record in records:
        taken = _RECORD_LENGTH.size + len(record)
        if group and size + taken > limit:
            groups.append(tuple(group))
            group, size = [], 0
        group.append(record)
        size += taken
    return groups + ([tuple(group)] if group else [])
