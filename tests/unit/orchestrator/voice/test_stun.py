import pytest

from orchestrator.voice.stun import answer

TRANSACTION = "b7e7a701bc34d686fa87dfae"
QUESTION = bytes.fromhex("00010000" + "2112a442" + TRANSACTION)


def test_the_answer_has_the_mapped_address_of_rfc_5769() -> None:
    """Section 2.2 there: 192.0.2.1 port 32853, and the same transaction."""
    found = answer(QUESTION, "192.0.2.1", 32_853)
    assert found is not None
    assert found.hex() == "0101000c" + "2112a442" + TRANSACTION + "00200008" + "0001a147e112a643"


def test_attributes_of_the_question_do_not_matter() -> None:
    question = bytes.fromhex("00010008" + "2112a442" + TRANSACTION + "8022000461626364")
    assert answer(question, "192.0.2.1", 32_853) == answer(QUESTION, "192.0.2.1", 32_853)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"who am I to you?",
        QUESTION[:-1],
        QUESTION + b"\0",
        bytes.fromhex("01010000" + "2112a442" + TRANSACTION),  # an answer
        bytes.fromhex("00010000" + "00000000" + TRANSACTION),  # RFC 3489: no cookie
        bytes.fromhex("00010004" + "2112a442" + TRANSACTION),  # shorter than it says
    ],
)
def test_what_is_no_question_gets_no_answer(datagram: bytes) -> None:
    assert answer(datagram, "192.0.2.1", 32_853) is None
