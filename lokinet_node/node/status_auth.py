"""What a node tells about who may use whom: parts of `llarp.status`. No token is in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lokinet_node.base.names import format_loki
from lokinet_node.base.units import SECOND
from lokinet_node.session.admission import Plea

if TYPE_CHECKING:
    from lokinet_node.exits.quota import Account
    from lokinet_node.node.gate import Gate
    from lokinet_node.session.session import Session


def session_auth(session: Session) -> dict[str, Any]:
    """Of one session: whether each end takes the other's packets.

    `ours`: what the remote lets us do (open, asking, refused), with its reason; `theirs`: whether
    its packets are delivered here.
    """
    admission = session.admission
    reason = admission.reason if admission.plea is Plea.REFUSED else ""
    return {
        "ours": admission.plea.name.lower(),
        "reason": reason,
        "theirs": "open" if admission.is_welcome else "refused",
    }


def gate_status(gate: Gate) -> dict[str, Any]:
    """How often callers were answered what; `guarded`: not everybody is welcome.

    With quotas also what each caller, and each token (the beginning of its digest), used of them.
    """
    status: dict[str, Any] = {
        "guarded": gate.doorman is not None,
        "answers": {code.name.lower(): count for code, count in gate.answers.items() if count},
    }
    ledger = gate.ledger
    if ledger is not None:
        status["clients"] = [
            {"remote": format_loki(remote)} | _account(one)
            for remote, one in ledger.clients.items()
        ]
        status["tokens"] = [
            {"token": ledger.shown(name)} | _account(one) for name, one in ledger.tokens.items()
        ]
    return status


def _account(account: Account) -> dict[str, Any]:
    state = "limited" if account.spent() else "connected" if account.is_on else "away"
    return {
        "bytes": account.size,
        "seconds": account.time // SECOND,
        "overRate": account.over_rate,
        "state": state,
        "reason": account.spent(),
    }
