"""A client's gate: what sessions ask about callers, and what remotes answered to us.

Whether somebody is let in says the doorman (exits/auth.py); what the doorman cannot know, the
driver finds out: it takes a `TokenCheck` from the node's effects and calls `checked`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.exits.auth import TokenCheck
from lokinet_node.session.addresses import remote_loki
from lokinet_node.session.auth_messages import UNASKED, AuthCode, AuthResult
from lokinet_node.session.effects import AdmissionAsked, Authorised

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.base.units import Micros
    from lokinet_node.exits.auth import Decision, Doorman, Verdict
    from lokinet_node.exits.quota import Ledger
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.session.sessions import Sessions

NO_LEAVE: Final = "it may not use this node any more"


@dataclass(frozen=True, slots=True)
class CallerAnswered:
    """A caller was let in or not; for the log."""

    remote: LokiAddress
    code: AuthCode
    reason: str


class Gate:
    """Of one `.loki` address."""

    def __init__(self, sessions: Sessions, note: Callable[[object], None]) -> None:
        """Open to everybody until `keep` is called.

        `note` takes TokenCheck, Authorised and CallerAnswered.
        """
        self.doorman: Doorman | None = None
        self.answers: dict[AuthCode, int] = dict.fromkeys(AuthCode, 0)
        """How often callers were answered what."""
        self._sessions = sessions
        self._note = note

    def keep(self, doorman: Doorman) -> None:
        """From now on callers need the doorman's leave."""
        self.doorman = doorman
        self._sessions.keep_door(doorman)

    def take(
        self, effect: AdmissionAsked | Authorised, traffic: Traffic | None, now: Micros
    ) -> None:
        """Carry one effect of sessions out."""
        if isinstance(effect, Authorised):
            self._note(effect)
            if traffic is not None and effect.code is AuthCode.OKAY:
                traffic.ready(remote_loki(effect.remote), now)
            elif traffic is not None:
                traffic.refused(remote_loki(effect.remote))
        elif self.doorman is not None:
            decision = self.doorman.asked(effect.remote, effect.token, effect.number, now)
            if isinstance(decision, TokenCheck):
                self._note(decision)
            else:
                self._decide(effect, decision, now)

    def may_call(self, remote: LokiAddress, now: Micros) -> bool:
        """Whether to dial this remote: not if it was a caller and has no leave any more."""
        return self.doorman is None or self.doorman.recall(remote, now) is not None

    def checked(self, check: TokenCheck, verdict: Verdict, now: Micros) -> None:
        """What the driver found out about a token."""
        if self.doorman is not None:
            self._decide(check, self.doorman.checked(check, verdict, now), now)

    def tick(self, now: Micros) -> None:
        """Those whose share is used up lose their leave."""
        ledger = self.ledger
        due = None if ledger is None else ledger.deadline()
        if ledger is None or due is None or due > now:
            return
        for remote, reason in ledger.look(self._sessions.by_remote, now):
            if self.doorman is not None:
                self.doorman.leave(remote, now)
            self.answers[AuthCode.LIMITED] += 1
            self._note(CallerAnswered(remote, AuthCode.LIMITED, reason))
            answer = AuthResult(UNASKED, AuthCode.LIMITED, reason)
            self._sessions.decided(remote, answer, None, now)

    def deadline(self) -> Micros | None:
        """When `tick` has something to do."""
        return None if self.ledger is None else self.ledger.deadline()

    @property
    def ledger(self) -> Ledger | None:
        """Who used how much."""
        return None if self.doorman is None else self.doorman.ledger

    def _decide(
        self, attempt: AdmissionAsked | TokenCheck, decision: Decision, now: Micros
    ) -> None:
        self.answers[decision.code] += 1
        if self.doorman is not None and decision.grant is None:
            self.doorman.leave(attempt.remote, now)
        answer = AuthResult(attempt.number, decision.code, decision.reason)
        self._note(CallerAnswered(attempt.remote, decision.code, decision.reason))
        self._sessions.decided(attempt.remote, answer, decision.grant, now)
