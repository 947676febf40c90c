"""Who may use this node: the order of decisions about a caller, without any file or socket.

1. a caller on the whitelist is let in before it asks;
2. questions are metered per caller, with a token or without;
3. whoever asks without a token is refused;
4. a token among the static ones lets in, and so does one that the backend accepted of this caller
   lately: whatever strangers do, their owners come in;
5. else the backend decides, if there is one: a file of tokens, or a program asked over HTTP. The
   driver does that (`TokenCheck`) and brings the answer; one attempt of a caller is pending, and
   those of all together are metered: guesses cost the guessers, not the node.

Who was let in once is remembered. The node may dial it back, perhaps only because its kernel
repeats a packet, and that brings no more than the caller's leave of before: `recall`.

Tokens are compared in constant time, all of them each time. DIFFERS: Lokinet calls a node that
has neither static tokens nor a backend failed; here that is a plain refusal.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.kdf import blake2s
from lokinet_node.exits.backend import Backend
from lokinet_node.exits.token_names import TokenNames
from lokinet_node.path.meter import Bucket
from lokinet_node.session.admission import CALLED, Grant
from lokinet_node.session.auth_messages import AuthCode, is_token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.exits.quota import Ledger

CALLER_BURST: Final = 5
NODE_RATE: Final = 20
NODE_BURST: Final = 100
"""Questions of one caller (one a second), and of all to the backend: crypt(3) costs milliseconds
and more."""
MOST_CALLERS: Final = 4096
MOST_GUESTS: Final = 16_384
"""Callers remembered that were let in; only those have an address here that packets can go to."""
MOST_ACCEPTED: Final = 1024
ACCEPTED_STANDS: Final[Micros] = 300 * SECOND
"""So long a token that the backend accepted is good for another session of the same caller."""
NO_TOKEN: Final = "a token is required"
NOT_PERMITTED: Final = "access not permitted"
TOO_OFTEN: Final = "too many attempts, try again later"
_KEY_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """For the driver: is this token good? `ClientRole.token_checked` takes the answer."""

    remote: LokiAddress
    token: str = field(repr=False)
    number: int = 0
    """Of the question, as the caller gave it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The driver's answer."""

    code: AuthCode
    reason: str = ""
    account: str = field(default="", repr=False)
    """What the token is known by: two spellings of one token have one account."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a caller is told, and what it gets."""

    code: AuthCode
    reason: str = ""
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What the backend said of a token that it let in."""

    account: str = field(repr=False)
    reason: str
    until: Micros


class StaticTokens:
    """A few tokens; comparing takes as long whichever matches."""

    __slots__ = ("_digests", "_key")

    def __init__(self, tokens: Iterable[str], entropy: Entropy) -> None:
        """Kept as keyed digests, which all have one length."""
        self._key = entropy(_KEY_SIZE)
        self._digests = tuple(blake2s(token.encode(), key=self._key) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __contains__(self, token: str) -> bool:
        given = blake2s(token.encode(), key=self._key)
        matches = 0
        for digest in self._digests:
            matches += hmac.compare_digest(given, digest)
        return matches > 0


class Doorman:
    """Decides about callers; see session/admission.py for when it is asked."""

    __slots__ = (
        "_accepted",
        "_attempts",
        "_backend",
        "_callers",
        "_guests",
        "_is_open",
        "_names",
        "_tokens",
        "_whitelist",
        "ledger",
    )

    def __init__(
        self,
        *,
        whitelist: Iterable[LokiAddress] = (),
        tokens: Iterable[str] = (),
        backend: Backend = Backend.NONE,
        is_open: bool = False,
        ledger: Ledger | None = None,
        entropy: Entropy,
    ) -> None:
        """`tokens` are the static ones; `is_open`: nobody needs leave, only the ledger counts."""
        self.ledger = ledger
        """Who used how much; None: nobody is counted."""
        self._whitelist = frozenset(whitelist)
        self._tokens = StaticTokens(tokens, entropy)
        self._backend = backend
        self._is_open = is_open
        self._attempts = Bucket(NODE_RATE, NODE_BURST)
        self._callers: dict[LokiAddress, Bucket] = {}
        self._names = TokenNames(entropy)
        self._accepted: OrderedDict[tuple[LokiAddress, str], _Accepted] = OrderedDict()
        self._guests: OrderedDict[LokiAddress, str | None] = OrderedDict()
        """Who was ever let in, with the token's name in the ledger; None: it lost its leave."""

    def greet(self, remote: LokiAddress, now: Micros) -> Grant | None:
        """See session.admission.Doorkeeper."""
        if self._is_open or remote in self._whitelist:
            return self._let_in(remote, "", now).grant
        return None

    def recall(self, remote: LokiAddress, now: Micros) -> Grant | None:
        """See session.admission.Doorkeeper."""
        ledger = self.ledger
        is_on_ledger = ledger is not None and remote in ledger.clients
        if remote not in self._guests and not is_on_ledger:
            return CALLED
        name = "" if self._is_open or remote in self._whitelist else self._guests.get(remote)
        if name is None or ledger is None:
            return None if name is None else Grant()
        tab = ledger.resume(remote, name, now)
        return None if tab.spent() else Grant(tab)

    def leave(self, remote: LokiAddress, now: Micros) -> None:
        """It is let in no more."""
        if remote in self._guests:
            self._guests[remote] = None
        if self.ledger is not None:
            self.ledger.leave(remote, now)

    def asked(
        self, remote: LokiAddress, token: str, number: int, now: Micros
    ) -> Decision | TokenCheck:
        """A caller wants to be let in: the decision, or what the driver has to find out."""
        if not self._caller(remote, now).take(now):
            return Decision(AuthCode.LIMITED, TOO_OFTEN)
        if self._is_open or remote in self._whitelist:
            return self._let_in(remote, "", now)
        has_any = bool(self._tokens) or self._backend is not Backend.NONE
        if not token or not has_any:
            return Decision(AuthCode.REJECT, NO_TOKEN if has_any else NOT_PERMITTED)
        if token in self._tokens:
            return self._let_in(remote, token, now)
        return self._ask_backend(remote, token, number, now)

    def _ask_backend(
        self, remote: LokiAddress, token: str, number: int, now: Micros
    ) -> Decision | TokenCheck:
        if self._backend is Backend.NONE or not is_token(token):
            return Decision(AuthCode.REJECT, NOT_PERMITTED)
        accepted = self._accepted.get((remote, self._names.name(token)))
        if accepted is not None and now < accepted.until:
            return self._let_in(remote, accepted.account, now, accepted.reason)
        if not self._attempts.take(now):
            return Decision(AuthCode.LIMITED, TOO_OFTEN)
        return TokenCheck(remote, token, number)

    def checked(self, check: TokenCheck, verdict: Verdict, now: Micros) -> Decision:
        """What the backend says."""
        if verdict.code is not AuthCode.OKAY:
            return Decision(verdict.code, verdict.reason)
        account = verdict.account or check.token
        name = check.remote, self._names.name(check.token)
        self._accepted[name] = _Accepted(account, verdict.reason, now + ACCEPTED_STANDS)
        self._accepted.move_to_end(name)
        if len(self._accepted) > MOST_ACCEPTED:
            self._accepted.popitem(last=False)
        return self._let_in(check.remote, account, now, verdict.reason)

    def _let_in(self, remote: LokiAddress, token: str, now: Micros, reason: str = "") -> Decision:
        """Unless the caller's share, or the token's, is used up."""
        tab = None if self.ledger is None else self.ledger.open(remote, token, now)
        spent = "" if tab is None else tab.spent()
        if spent:
            return Decision(AuthCode.LIMITED, spent)
        self._guests[remote] = "" if tab is None else tab.name
        self._guests.move_to_end(remote)
        if len(self._guests) > MOST_GUESTS:
            self._guests.popitem(last=False)
        return Decision(AuthCode.OKAY, reason, Grant(tab))

    def _caller(self, remote: LokiAddress, now: Micros) -> Bucket:
        bucket = self._callers.get(remote)
        if bucket is None:
            if len(self._callers) >= MOST_CALLERS:
                full = now - CALLER_BURST * SECOND
                self._callers = {
                    name: one for name, one in self._callers.items() if one.since > full
                }
            bucket = self._callers[remote] = Bucket(1, CALLER_BURST)
        return bucket
