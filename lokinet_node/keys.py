"""`python -m lokinet_node.keys`: key files and first contacts, one node or a whole network.

    router DIR [--netid ID --public-address IP:PORT]    keys, and self.signed with an address
    service FILE                                        a client's .loki key
    batch < JSON                                        a list of such requests at once

Keys that exist are kept. A contact that exists is kept while it still describes the router and
has more than half of its life left, and is otherwise signed anew. Results are JSON on standard
output; a request that fails ends the run with exit code 1 and one line that names the file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from lokinet_node.base.addresses import Endpoint, parse_endpoint
from lokinet_node.base.constants import DEFAULT_NETID, MAX_NETID_SIZE
from lokinet_node.base.errors import NameSyntaxError, OperatorError, WireError
from lokinet_node.base.ids import LinkKey, LokiAddress, RouterID
from lokinet_node.base.names import format_loki, format_snode
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND
from lokinet_node.drivers import clock
from lokinet_node.drivers.files import make_directory, read_file, write_file
from lokinet_node.drivers.keyfiles import RouterKeys, router_keys, service_key
from lokinet_node.netdb.verify import sign_contact, verify_contact
from lokinet_node.wire.contact import Contact, decode_records, encode_records

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = (0, 1, 0)
"""Agent version in contacts."""

MAX_BATCH_SIZE = 16 << 20
"""Bytes of a batch: a network of 10,000 nodes asks with about two million."""


@dataclass(frozen=True, slots=True)
class RouterRequest:
    """Keys for a router; a contact too where its address is known."""

    directory: str
    netid: bytes
    public_address: Endpoint | None


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A `.loki` key."""

    file: str


Request = RouterRequest | ServiceRequest
Result = dict[str, str | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "batch":
            data = sys.stdin.buffer.read(MAX_BATCH_SIZE + 1)
            results: object = batch(data)
        elif options.command == "router":
            results = make(_router(options.dir, options.netid, options.public_address))
        else:
            results = make(ServiceRequest(options.file))
    except OperatorError as error:
        print(f"lokinet keys: {error}", file=sys.stderr)
        return 1
    print(json.dumps(results))
    return 0


def batch(data: bytes) -> list[Result]:
    """What the command `batch` makes of its standard input."""
    return [make(request) for request in _batch(data)]


def make(request: Request) -> Result:
    """Make what is missing; what there is now, as the commands print it."""
    if isinstance(request, ServiceRequest):
        pair = service_key(request.file, os.urandom)
        address = format_loki(LokiAddress(pair.public))
        public = pair.public.hex()
        return {"kind": "service", "address": address, "public": public, "file": request.file}
    make_directory(request.directory)
    keys = router_keys(
        os.path.join(request.directory, "identity.key"),
        os.path.join(request.directory, "transport.key"),
        os.path.join(request.directory, "encryption.key"),
        os.urandom,
    )
    contact = None
    if request.public_address is not None:
        contact = os.path.join(request.directory, "self.signed")
        _keep_or_sign(contact, keys, request.netid, request.public_address)
    address = format_snode(RouterID(keys.identity.public))
    public = keys.identity.public.hex()
    return {"kind": "router", "address": address, "public": public, "contact": contact}


def _keep_or_sign(path: str, keys: RouterKeys, netid: bytes, address: Endpoint) -> None:
    now = clock.wall()
    lifetime = Timing().contact_lifetime
    fresh = Contact(
        netid=netid.ljust(MAX_NETID_SIZE, b"\0"),
        router=RouterID(keys.identity.public),
        link_key=LinkKey(keys.link.public),
        onion_key_id=keys.onion_key_id,
        onion_key=keys.onion.public,
        ip=address.ip,
        port=address.port,
        issued=now,
        lifetime_s=lifetime // SECOND,
        version=VERSION,
        name="",
    )
    if os.path.lexists(path) and _still_says(path, fresh):
        return
    write_file(path, encode_records([sign_contact(fresh, keys.identity.secret)]))


def _still_says(path: str, fresh: Contact) -> bool:
    """Whether the file holds one good contact that says the same and lives long enough."""
    try:
        (old,) = decode_records(read_file(path, limit=1 << 16))
        verify_contact(old, netid=fresh.netid, now=fresh.issued)
    except (WireError, ValueError):
        return False  # nothing is lost: a contact can always be signed again
    half_left = old.expires - fresh.issued > fresh.lifetime_s * SECOND // 2
    return half_left and _statements(old) == _statements(fresh)


def _statements(contact: Contact) -> tuple[object, ...]:
    return (
        contact.router,
        contact.link_key,
        contact.onion_key_id,
        contact.onion_key,
        contact.address,
    )


def _router(directory: str, netid: str | None, public_address: str | None) -> RouterRequest:
    encoded = (DEFAULT_NETID if netid is None else netid).encode()
    if len(encoded) > MAX_NETID_SIZE:
        raise OperatorError(f"netid {netid!r} is longer than {MAX_NETID_SIZE} bytes")
    if public_address is None:
        return RouterRequest(directory, encoded, None)
    try:
        endpoint = parse_endpoint(public_address)
    except NameSyntaxError as error:
        raise OperatorError(f"public address: {error}") from error
    if not endpoint.port:
        raise OperatorError(f"public address {public_address}: a router needs a fixed port")
    return RouterRequest(directory, encoded, endpoint)


def _batch(data: bytes) -> list[Request]:
    """The requests of a JSON list; every one is checked before the first is done."""
    if len(data) > MAX_BATCH_SIZE:
        raise OperatorError(f"batch: longer than {MAX_BATCH_SIZE} bytes")
    try:
        items = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"batch: not JSON: {error}") from error
    if not isinstance(items, list):
        raise OperatorError("batch: not a JSON list")
    requests = []
    for number, item in enumerate(items):
        try:
            requests.append(_request(item))
        except OperatorError as error:
            raise OperatorError(f"batch: request {number}: {error}") from error
    return requests


def _request(item: object) -> Request:
    if not isinstance(item, dict):
        raise OperatorError("not an object")
    texts = {key: value for key, value in item.items() if isinstance(value, str)}
    if len(texts) != len(item):
        raise OperatorError("every value must be a string")
    kind = texts.pop("kind", None)
    wanted = {"router": {"dir", "netid", "public_address"}, "service": {"file"}}.get(kind or "")
    required = {"router": "dir", "service": "file"}.get(kind or "")
    if wanted is None or required is None:
        raise OperatorError(f"kind {kind!r} is neither router nor service")
    unknown = sorted(set(texts) - wanted)
    if unknown:
        raise OperatorError(f"unknown key {unknown[0]!r}")
    if not texts.get(required):
        raise OperatorError(f"key {required!r} is missing")
    if kind == "service":
        return ServiceRequest(texts["file"])
    return _router(texts["dir"], texts.get("netid"), texts.get("public_address"))


class _Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with 1: 2 is kept for a loop that failed."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lokinet keys", description="Make key files; existing ones are kept.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    router = commands.add_parser("router", help="keys of a router, and its first contact")
    router.add_argument("dir", metavar="DIR", help="directory for the files, made if missing")
    router.add_argument("--netid", help=f"network the contact is for (default {DEFAULT_NETID})")
    router.add_argument("--public-address", metavar="IP:PORT", help="also sign self.signed")
    service = commands.add_parser("service", help="the .loki key of a client or service")
    service.add_argument("file", metavar="FILE")
    commands.add_parser("batch", help="a JSON list of requests on standard input")
    return parser


if __name__ == "__main__":
    sys.exit(main())
