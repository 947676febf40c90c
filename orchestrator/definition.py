"""What a network is, kept in its state directory: the topology's text, and what was scaled since.

Written when a network is up, so its being there is the promise that the network stays: `start` can
bring it up again after a stop or a reboot, `wait` knows what to wait for, and `gc` leaves it alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from orchestrator.directories import Places, sync_directory, write_private
from orchestrator.errors import CheckFailed

__all__ = ["Definition", "forget", "is_promised", "keep", "kept"]


@dataclass(frozen=True, slots=True)
class Definition:
    """A topology as it was given, and the groups whose size was changed by `scale`."""

    text: str
    file: str
    """Where the text was read, for messages."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Nodes by group."""


def keep(places: Places, definition: Definition) -> None:
    """Promise that the network stays, whatever happens to this process or machine."""
    text = json.dumps({**asdict(definition)}, indent=2, ensure_ascii=False) + "\n"
    write_private(places.definition, text, durable=True)


def kept(places: Places) -> Definition:
    """What was promised; raises CheckFailed where nothing was."""
    try:
        raw = json.loads(places.definition.read_text(encoding="utf-8"))
        counts = {str(name): int(count) for name, count in raw["counts"].items()}
        return Definition(str(raw["text"]), str(raw["file"]), counts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckFailed(
            f"network {places.name!r} was never brought up to its end: `testnet up` does that, "
            f"`testnet down --name {places.name}` removes what there is"
        ) from error


def is_promised(places: Places) -> bool:
    """Whether the network shall stay."""
    return places.definition.is_file()


def forget(places: Places) -> None:
    """Take the promise back: from here on, what is left of the network is left over."""
    if is_promised(places):
        places.definition.unlink()
        sync_directory(places.state)
