"""What a node noted, as lines for the log.

INFO says that something came about or ended, never between whom; names of peers are fields that
the log itself leaves out unless it was asked for debug (drivers/log.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from lokinet_node.base.ids import short
from lokinet_node.exits.ways import ExitDown, ExitTried, ExitUp, Failure
from lokinet_node.link.links import LinkDown, LinkUp
from lokinet_node.node.gate import CallerAnswered
from lokinet_node.node.names import NameResolved
from lokinet_node.node.questions import Resolved
from lokinet_node.node.router import ContactSigned
from lokinet_node.ons.verdict import Found
from lokinet_node.path.owned import PathFailed, PathLost, PathReady
from lokinet_node.session.effects import Authorised, SessionEnded, SessionFailed, SessionReady

if TYPE_CHECKING:
    Field: TypeAlias = str | int | float | bool | bytes | None


class Writer(Protocol):
    """The two levels a node uses."""

    def debug(self, event: str, **fields: Field) -> None:
        """A decision or control message."""

    def info(self, event: str, **fields: Field) -> None:
        """Lifecycle."""


def log_effect(log: Writer, effect: object) -> None:
    """One line for one effect; nothing for those that are only for the driver."""
    match effect:
        case LinkUp() | LinkDown():
            _log_link(log, effect)
        case PathReady() | PathFailed() | PathLost():
            _log_path(log, effect)
        case SessionReady() | SessionFailed() | SessionEnded():
            _log_session(log, effect)
        case Authorised() | CallerAnswered():
            event = "auth.answered" if isinstance(effect, Authorised) else "auth.decided"
            remote = short(effect.remote)
            log.info(event, code=effect.code.name, reason=effect.reason, remote=remote)
        case ExitUp() | ExitDown() | ExitTried():
            _log_exit(log, effect)
        case ContactSigned():
            log.debug("contact.signed")
        case Resolved(remote, None, reason):
            log.info("name.unresolved", reason=reason, remote=str(remote))
        case NameResolved():
            _log_name(log, effect)
        case _:
            pass


def _log_link(log: Writer, effect: LinkUp | LinkDown) -> None:
    if isinstance(effect, LinkUp):
        log.debug("link.up", peer=effect.link.key)
    else:
        log.info("link.down", reason=str(effect.reason), peer=effect.link.key)


def _log_path(log: Writer, effect: PathReady | PathFailed | PathLost) -> None:
    pivot = short(effect.path.pivot)
    if isinstance(effect, PathReady):
        log.debug("path.ready", rtt_ms=(effect.path.rtt or 0) / 1000, pivot=pivot)
    else:
        event = "path.failed" if isinstance(effect, PathFailed) else "path.lost"
        log.info(event, reason=effect.reason, pivot=pivot)


def _log_session(log: Writer, effect: SessionReady | SessionFailed | SessionEnded) -> None:
    remote = short(effect.remote)
    if isinstance(effect, SessionReady):
        log.info("session.ready", remote=remote)
    else:
        event = "session.failed" if isinstance(effect, SessionFailed) else "session.ended"
        log.info(event, reason=effect.reason, remote=remote)


def _log_name(log: Writer, effect: NameResolved) -> None:
    if isinstance(effect.answer, Found):
        log.debug("name.found", name=effect.name)
    else:
        log.info("name.unresolved", reason=str(effect.answer), name=effect.name)


def _log_exit(log: Writer, effect: ExitUp | ExitDown | ExitTried) -> None:
    remote = str(effect.exit)
    match effect:
        case ExitUp():
            log.info("exit.up", remote=remote)
        case ExitDown(_, reason):
            log.info("exit.down", reason=reason, remote=remote)
        case ExitTried(_, Failure() as failure, reason):
            log.info("exit.failed", failure=failure.name.lower(), reason=reason, remote=remote)
        case _:
            pass
