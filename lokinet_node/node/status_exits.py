"""What a status shows of the exits a node uses; tokens only by name (exits/token_names.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lokinet_node.base.ids import LokiAddress
from lokinet_node.exits.consumer import is_remote
from lokinet_node.node.config_consumer import NO_EXIT
from lokinet_node.node.status_provider import refusal_rows

if TYPE_CHECKING:
    from lokinet_node.exits.consumer import Exits
    from lokinet_node.session.sessions import Sessions


def exit_map(exits: Exits) -> dict[str, Any]:
    """Range -> exit, or a list where several share the range; `null` where none is used."""
    shown: dict[str, Any] = {}
    for range_, exit_ in exits.map_.rows():
        name = NO_EXIT if exit_ is None else str(exit_)
        before = shown.get(str(range_))
        if before is None:
            shown[str(range_)] = name
        elif isinstance(before, list):
            before.append(name)
        else:
            shown[str(range_)] = [before, name]
    return shown


def auth_codes(exits: Exits) -> dict[str, str]:
    """Address -> the token it is asked with, redacted."""
    names = exits.token_names
    return {
        str(exit_): f"{names.shown(names.name(token))}…" for exit_, token in exits.tokens.items()
    }


def exits_status(exits: Exits, sessions: Sessions) -> list[dict[str, Any]]:
    """One row for each exit in use; `state` is a Way, `refusals` what the exit said last."""
    pins = exits.map_.pins()
    rows = []
    for exit_, look, problem in exits.rows():
        session = None
        if is_remote(exit_):
            session = sessions.by_remote.get(LokiAddress(exit_.key))
        rows.append(
            {
                "exit": str(exit_),
                "ranges": [str(range_) for range_ in exits.map_.ranges_of(exit_)],
                "state": "looking up" if isinstance(exit_, str) else look.way.value,
                "isDown": exits.map_.is_down(exit_),
                "reason": look.reason or problem,
                "pins": pins.get(exit_, 0),
                "refusals": [] if session is None else refusal_rows(session),
            }
        )
    return rows
