"""The doorman: the order of its decisions, and what guessing costs."""

from __future__ import annotations

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND
from lokinet_node.exits.auth import (
    CALLER_BURST,
    NODE_BURST,
    NOT_PERMITTED,
    TOO_OFTEN,
    Decision,
    Doorman,
    TokenCheck,
    Verdict,
)
from lokinet_node.exits.backend import Backend
from lokinet_node.session.admission import Grant
from lokinet_node.session.auth_messages import AuthCode

ALICE, BOB = LokiAddress(b"a" * 32), LokiAddress(b"b" * 32)
NOW = 1_000 * SECOND
IN = Decision(AuthCode.OKAY, grant=Grant())


def doorman(*tokens: str, backend: Backend = Backend.NONE) -> Doorman:
    return Doorman(whitelist=[ALICE], tokens=tokens, backend=backend, entropy=bytes)


def test_the_whitelist_comes_first_and_needs_no_question() -> None:
    one = doorman("sesame")
    assert one.greet(ALICE, NOW) == Grant()
    assert one.greet(BOB, NOW) is None
    assert one.asked(ALICE, "nonsense", 1, NOW) == IN


def test_a_token_among_several_lets_in_and_its_beginning_does_not() -> None:
    one = doorman("sesame", "\u00e9t\u00e9")
    assert one.asked(BOB, "\u00e9t\u00e9", 1, NOW) == IN
    assert one.asked(BOB, "sesame", 1, NOW) == IN
    assert one.asked(BOB, "sesam", 1, NOW) == Decision(AuthCode.REJECT, NOT_PERMITTED)


def test_a_backend_is_asked_only_about_what_the_configuration_does_not_decide() -> None:
    one = doorman("sesame", backend=Backend.FILE)
    assert one.asked(BOB, "sesame", 1, NOW) == IN
    assert one.asked(BOB, "", 1, NOW) == Decision(AuthCode.REJECT, "a token is required")
    check = one.asked(BOB, "voucher", 1, NOW)
    assert check == TokenCheck(BOB, "voucher", 1)
    assert isinstance(check, TokenCheck)
    assert "voucher" not in repr(check)
    assert one.checked(check, Verdict(AuthCode.OKAY), NOW) == IN
    refusal = one.checked(check, Verdict(AuthCode.PAYME, "10 coins"), NOW)
    assert refusal == Decision(AuthCode.PAYME, "10 coins")


def test_where_no_token_could_help_none_is_asked_for() -> None:
    assert doorman().asked(BOB, "", 1, NOW) == Decision(AuthCode.REJECT, NOT_PERMITTED)
    assert doorman().asked(BOB, "x", 1, NOW) == Decision(AuthCode.REJECT, NOT_PERMITTED)


def test_guesses_of_one_caller_are_metered_and_others_are_not_hit() -> None:
    one = doorman("sesame")
    codes = [one.asked(BOB, str(n), 1, NOW).code for n in range(CALLER_BURST + 1)]  # type: ignore[union-attr]
    assert codes == [AuthCode.REJECT] * CALLER_BURST + [AuthCode.LIMITED]
    assert one.asked(BOB, "sesame", 1, NOW) == Decision(AuthCode.LIMITED, TOO_OFTEN)
    assert one.asked(LokiAddress(b"c" * 32), "sesame", 1, NOW) == IN
    assert one.asked(BOB, "sesame", 1, NOW + SECOND) == IN


def test_guesses_of_all_callers_together_are_metered() -> None:
    one = doorman("sesame", backend=Backend.FILE)
    answers = [
        one.asked(LokiAddress(n.to_bytes(32, "big")), "x", 1, NOW) for n in range(NODE_BURST + 1)
    ]
    assert all(isinstance(answer, TokenCheck) for answer in answers[:-1])
    assert answers[-1] == Decision(AuthCode.LIMITED, TOO_OFTEN)
