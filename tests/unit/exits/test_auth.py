"""The doorman: the order of its decisions, and what guessing costs."""

from __future__ import annotations

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND
from lokinet_node.exits.auth import (
    ACCEPTED_STANDS,
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
from lokinet_node.exits.quota import Ledger
from lokinet_node.exits.share import Quota, Quotas
from lokinet_node.session.admission import CALLED, Grant
from lokinet_node.session.auth_messages import AuthCode

ALICE, BOB = LokiAddress(b"a" * 32), LokiAddress(b"b" * 32)
CAROL = LokiAddress(b"c" * 32)
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


def test_guesses_of_strangers_do_not_keep_good_tokens_out() -> None:
    one = doorman("sesame", backend=Backend.FILE)
    check = one.asked(BOB, "voucher", 1, NOW)
    assert isinstance(check, TokenCheck)
    one.checked(check, Verdict(AuthCode.OKAY, account="5"), NOW)
    for n in range(2 * NODE_BURST):
        one.asked(LokiAddress(n.to_bytes(32, "big")), "x", 1, NOW)
    assert one.asked(CAROL, "sesame", 1, NOW) == IN
    assert one.asked(BOB, "voucher", 2, NOW) == IN, "it was accepted of this caller"
    assert one.asked(CAROL, "voucher", 2, NOW) == Decision(AuthCode.LIMITED, TOO_OFTEN)
    later = NOW + ACCEPTED_STANDS
    assert isinstance(one.asked(BOB, "voucher", 3, later), TokenCheck), "not for ever"


def test_questions_without_a_token_are_metered_like_others() -> None:
    one = doorman("sesame")
    for _ in range(CALLER_BURST):
        assert one.asked(BOB, "", 1, NOW) == Decision(AuthCode.REJECT, "a token is required")
    assert one.asked(BOB, "", 1, NOW) == Decision(AuthCode.LIMITED, TOO_OFTEN)
    for _ in range(CALLER_BURST):
        assert one.asked(ALICE, "", 1, NOW) == IN
    assert one.asked(ALICE, "", 1, NOW) == Decision(AuthCode.LIMITED, TOO_OFTEN)


def test_who_never_was_a_caller_may_answer_when_called() -> None:
    one = doorman("sesame")
    one.asked(BOB, "wrong", 1, NOW)
    assert one.recall(BOB, NOW) is CALLED


def test_a_former_caller_that_is_called_back_has_the_leave_it_had() -> None:
    one = doorman("sesame")
    one.asked(BOB, "sesame", 1, NOW)
    assert one.recall(BOB, NOW) == Grant()
    one.leave(BOB, NOW)
    assert one.recall(BOB, NOW) is None
    one.leave(CAROL, NOW)
    assert one.recall(CAROL, NOW) is CALLED


def test_what_a_former_caller_uses_when_called_back_counts() -> None:
    one = Doorman(
        tokens=["sesame"],
        ledger=Ledger(Quotas(Quota(size=1000), Quota(size=5000)), bytes),
        entropy=bytes,
    )
    one.asked(BOB, "sesame", 1, NOW)
    assert one.ledger is not None
    one.ledger.look((), NOW)
    grant = one.recall(BOB, NOW)
    assert grant is not None
    assert grant.meter is not None
    grant.meter.take(1, 1000, NOW)
    (token,) = one.ledger.tokens.values()
    assert (one.ledger.clients[BOB].size, token.size) == (1000, 1000)
    assert one.recall(BOB, NOW) is None, "its share is used up"


def test_a_caller_of_an_earlier_run_has_to_ask_again() -> None:
    quotas = Quotas(Quota(size=1000))
    former = Ledger(quotas, bytes)
    former.open(BOB, "", NOW).take(1, 10, NOW)
    ledger = Ledger(quotas, bytes, former.dump())
    assert Doorman(tokens=["sesame"], ledger=ledger, entropy=bytes).recall(BOB, NOW) is None
    grant = Doorman(is_open=True, ledger=ledger, entropy=bytes).recall(BOB, NOW)
    assert grant is not None
    assert grant.meter is not None
