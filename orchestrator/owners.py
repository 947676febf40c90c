"""What an owner of names does with keys, by the node's own command: nothing secret passes here.

Keys are files of a network's directory, one for each owner's name.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orchestrator
from orchestrator.errors import UsageError

__all__ = ["Identified", "Owners", "identified", "opened", "sealed"]

PACKAGE_ROOT = Path(orchestrator.__file__).parent.parent
TIMEOUT_S = 60.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Request = dict[str, str]


@dataclass(frozen=True, slots=True)
class Identified:
    """Who a node is."""

    address: str
    public: str
    """The key behind the address, in hex."""


class Owners:
    """The owners' keys of one network."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made before the first key is asked for."""
        self._directory = directory

    def names(self) -> list[str]:
        """Owners there are."""
        return sorted(path.stem for path in self._directory.glob("*.key"))

    def public(self, *owners: str) -> dict[str, str]:
        """Public keys by owner, in hex; missing keys are made."""
        wanted = sorted(set(owners))
        if not wanted:
            return {}
        self._directory.mkdir(mode=0o700, exist_ok=True)
        results = run_names([{"kind": "key", "file": self._file(owner)} for owner in wanted])
        return {owner: result["owner"] for owner, result in zip(wanted, results, strict=True)}

    def who_owns(self, record: Mapping[str, Any]) -> str | None:
        """Which of the owners here may change a record: the owner first, then the backup owner."""
        keys = {key: owner for owner, key in self.public(*self.names()).items()}
        return keys.get(record["owner"]) or keys.get(record.get("backup_owner", ""))

    def signature(self, owner: str, previous: str, changes: dict[str, str]) -> str:
        """Of an update, by an owner whose key is here."""
        request = {"kind": "sign", "key_file": self._file(owner), "prev_txid": previous}
        return run_names([request | changes])[0]["signature"]

    def _file(self, owner: str) -> str:
        return str(self._directory / f"{owner}.key")


def sealed(name: str, address: str) -> str:
    """A record's value for an address."""
    return run_names([{"kind": "seal", "name": name, "address": address}])[0]["encrypted_value"]


def opened(values: dict[str, str]) -> dict[str, str]:
    """Name → address, from name → a record's value; raises UsageError for one of another name."""
    requests = [
        {"kind": "open", "name": name, "encrypted_value": value} for name, value in values.items()
    ]
    results = run_names(requests) if requests else []
    return {name: result["address"] for name, result in zip(values, results, strict=True)}


def identified(nodes: Iterable[tuple[str, str]]) -> list[Identified]:
    """Who nodes are, from (kind, path) of their keys: a router's directory, a service's file."""
    requests = [{"kind": kind, "dir" if kind == "router" else "file": path} for kind, path in nodes]
    results = _run("lokinet_node.keys", ["batch"], requests)
    return [Identified(result["address"], result["public"]) for result in results]


def run_names(requests: list[Request]) -> list[dict[str, str]]:
    """One run of the node's command; raises UsageError with its words."""
    return _run("lokinet_node.names", [], requests)


def _run(module: str, arguments: list[str], requests: list[Request]) -> list[dict[str, str]]:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={"PATH": PATH, "HOME": "/", "LANG": "C.UTF-8", "PYTHONPATH": str(PACKAGE_ROOT)},
        start_new_session=True,
        umask=0o077,
    )
    if ended.returncode != 0:
        raise UsageError(ended.stderr.strip().removeprefix("lokinet names: "))
    results: list[dict[str, str]] = json.loads(ended.stdout)
    return results
