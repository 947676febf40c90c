"""`python -m lokinet_node.jobs`: what containers that run once do for a network of others.

    prepare SPEC [PATH TEXT]…   files as given, keys, contacts for others to read, owners of folders
    settle SPEC                 on the chain: routers are registered, names bought or corrected

Both look first and do what is missing, so that they can be run again. SPEC is JSON:

    prepare {"keys": {NODE: a request of lokinet_node.keys batch}, "contacts": {NODE: FILE},
             "addresses": FILE, "owners": {FOLDER: UID}}
    settle  {"admin": "IP:PORT", "addresses": FILE, "owners": FOLDER, "routers": [NODE],
             "names": [{"name": NAME, "to": NODE or ADDRESS, "owner": KEY,
                        "backup_owner": KEY or "", "type": TERM}]}

`addresses` is how the first tells the second who the nodes are; KEY is a file's name in `owners`.
What fails ends the run with exit code 1 and one line on standard error.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lokinet_node import keys, names
from lokinet_node.base.addresses import parse_endpoint
from lokinet_node.base.errors import NameSyntaxError, OperatorError
from lokinet_node.drivers.files import make_directory, read_file, write_file

Spec = Mapping[str, Any]
Record = dict[str, Any]

START_S = 60.0
"""For a chain that was just started to answer; measured 0.4 s."""
PAUSE_S = 0.05
TIMEOUT_S = 10.0
MAX_ADDRESSES_SIZE = 16 << 20
PUBLIC = 0o644


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        spec = _parsed(options.spec)
        lines = prepare(spec, options.files) if options.job == "prepare" else settle(spec)
        for line in lines:
            print(line, flush=True)
    except OperatorError as error:
        print(f"lokinet jobs: {error}", file=sys.stderr)
        return 1
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        print(f"lokinet jobs: SPEC is not as it should be: {error!r}", file=sys.stderr)
        return 1
    return 0


# --- prepare


def prepare(spec: Spec, files: Sequence[str]) -> Iterator[str]:
    """A line for each node that has an address."""
    if len(files) % 2:
        raise OperatorError(f"{files[-1]}: a path without a text")
    for path, text in zip(files[::2], files[1::2], strict=True):
        _folder_of(path)
        write_file(path, text.encode())
    made = keys.batch(json.dumps(list(spec["keys"].values())).encode())
    results = dict(zip(spec["keys"], made, strict=True))
    for node, path in spec["contacts"].items():
        _publish(path, read_file(str(results[node]["contact"]), MAX_ADDRESSES_SIZE))
    if spec["addresses"]:
        who = {
            node: {"address": result["address"], "public": result["public"]}
            for node, result in results.items()
        }
        _publish(spec["addresses"], json.dumps(who).encode())
    for folder, user in spec["owners"].items():
        _give(folder, user)
    for node, result in results.items():
        yield f"{node} {result['address']}"


def _folder_of(path: str) -> None:
    """Made where it is missing, and no link: what runs later may write where this job writes."""
    folder = os.path.dirname(path)
    make_directory(folder)
    if os.path.realpath(folder) != folder:
        raise OperatorError(f"{folder}: leads elsewhere")


def _publish(path: str, data: bytes) -> None:
    """For everybody to read."""
    _folder_of(path)
    write_file(path, data)
    os.chmod(path, PUBLIC)


def _give(folder: str, user: int) -> None:
    """A folder with all that is in it becomes somebody's, who is also its group."""
    try:
        for where, _, files in os.walk(folder):
            for path in (where, *(os.path.join(where, name) for name in files)):
                if os.lstat(path).st_uid != user:
                    os.chown(path, user, user, follow_symlinks=False)
    except OSError as error:
        raise OperatorError(f"{error.filename}: cannot be given away: {error.strerror}") from error


# --- settle


def settle(spec: Spec) -> Iterator[str]:
    """A line for each thing that was missing; the chain may still be starting."""
    chain = Chain(spec["admin"])
    who = json.loads(read_file(spec["addresses"], MAX_ADDRESSES_SIZE))
    chain.wait()
    listed = {
        row["pubkey_ed25519"]
        for row in chain.call("get_service_nodes", fields=["pubkey_ed25519"])["service_node_states"]
    }
    for node in spec["routers"]:
        if who[node]["public"] not in listed:
            chain.call("register_service_node", pubkey_ed25519=who[node]["public"])
            yield f"{node} is registered"
    for wanted in spec["names"]:
        target = who[wanted["to"]]["address"] if wanted["to"] in who else wanted["to"]
        yield _settle_name(chain, spec["owners"], wanted, target)


def _settle_name(chain: Chain, owners: str, wanted: Mapping[str, str], target: str) -> str:
    """Buy a name, or lead it elsewhere with its owner's key; what was done."""
    name = wanted["name"]
    (asked,) = _ask([{"kind": "hash", "name": name}])
    entries = [{"name_hash": asked["name_hash"], "types": [2]}]
    found = chain.call("ons_names_to_owners", entries=entries)["entries"]
    (sealed,) = _ask([{"kind": "seal", "name": name, "address": target}])
    if not found:
        fields = {"owner": _owner(owners, wanted["owner"])}
        if wanted["backup_owner"]:
            fields["backup_owner"] = _owner(owners, wanted["backup_owner"])
        chain.call("ons_buy_mapping", name=name, type=wanted["type"], **fields, **sealed)
        return f"{name} is bought for {target}"
    record: Record = found[0]
    opened = {"kind": "open", "name": name, "encrypted_value": record["encrypted_value"]}
    if _ask([opened])[0]["address"] == target:
        return f"{name} stands for {target}"
    previous = {"prev_txid": str(record["txid"])}
    key = {"kind": "sign", "key_file": _key_file(owners, wanted["owner"])}
    (signed,) = _ask([{**key, **previous, **sealed}])
    chain.call("ons_update_mapping", name=name, **previous, **sealed, **signed)
    return f"{name} now stands for {target}"


def _owner(owners: str, key: str) -> str:
    return _ask([{"kind": "key", "file": _key_file(owners, key)}])[0]["owner"]


def _key_file(owners: str, key: str) -> str:
    return os.path.join(owners, f"{key}.key")


def _ask(requests: list[dict[str, str]]) -> list[dict[str, str]]:
    return [names.make(request) for request in requests]


class Chain:
    """The chain's write listener."""

    def __init__(self, admin: str) -> None:
        """OperatorError for what is no `IP:PORT`."""
        try:
            endpoint = parse_endpoint(admin)
        except NameSyntaxError as error:
            raise OperatorError(f"{admin}: {error}") from error
        self._where = (endpoint.ip, endpoint.port)

    def wait(self) -> None:
        """Until it answers; OperatorError where it does not."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._post(b"{}")
            except OSError as error:
                if time.monotonic() > deadline:
                    raise OperatorError(f"the chain does not answer: {error}") from error
                time.sleep(PAUSE_S)
            else:
                return

    def call(self, method: str, **params: object) -> Record:
        """A method's result; OperatorError with the chain's words."""
        request = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
        try:
            answer = json.loads(self._post(json.dumps(request).encode()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise OperatorError(f"the chain does not answer: {error}") from error
        if "error" in answer:
            raise OperatorError(f"the chain: {method}: {answer['error']['message']}")
        result: Record = answer["result"]
        return result

    def _post(self, body: bytes) -> bytes:
        line = http.client.HTTPConnection(*self._where, timeout=TIMEOUT_S)
        try:
            line.request("POST", "/json_rpc", body)
            return line.getresponse().read()
        finally:
            line.close()


def _parsed(text: str) -> Spec:
    spec = json.loads(text)
    if not isinstance(spec, dict):
        raise OperatorError("SPEC is not a JSON object")
    return spec


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lokinet jobs", description="Work that is done once.")
    jobs = parser.add_subparsers(dest="job", required=True, metavar="JOB")
    first = jobs.add_parser("prepare", help="files, keys, contacts, owners of folders")
    first.add_argument("spec", metavar="SPEC")
    first.add_argument("files", nargs="*", metavar="PATH TEXT")
    jobs.add_parser("settle", help="routers and names on the chain").add_argument(
        "spec", metavar="SPEC"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
