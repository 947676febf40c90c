"""What a node and its programs were made of, short enough to be remembered by the world.

A fingerprint names each part with a digest of its value, so that two of them tell not only that
something changed but what. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from orchestrator.content import described
from orchestrator.ops import NodeSpec, ProcessSpec

__all__ = ["changes", "files_of", "fingerprint", "process_fingerprint"]

DIGITS = 12


def fingerprint(parts: Mapping[str, object]) -> str:
    """`name=digest,…` by name; values are whatever JSON can hold, names have no `,` and no `=`."""
    return ",".join(f"{name}={_digest(value)}" for name, value in sorted(parts.items()))


def process_fingerprint(spec: NodeSpec, process: ProcessSpec) -> str:
    """Of one program: its command line, files and content, and its image if it is of one."""
    parts: dict[str, object] = {"command line": process.argv, **files_of(spec, process)}
    if process.content:
        parts["content"] = [described(content) for content in process.content]
    if process.image is not None:
        parts["image"] = process.image.number
    return fingerprint(parts)


def files_of(spec: NodeSpec, process: ProcessSpec) -> dict[str, str]:
    """Texts of the files a program reads, by path; its list may name folders."""
    return {
        path: text
        for path, text in spec.files.items()
        if any(path == name or path.startswith(f"{name}/") for name in process.files)
    }


def changes(before: str, after: str) -> str:
    """`address changed`, `command line, lokinet.ini changed`; empty when nothing did."""
    old, new = _parts(before), _parts(after)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return f"{', '.join(names)} changed" if names else ""


def _parts(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: digest for name, _, digest in pairs}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]
