"""Terms and prices are Lokinet's."""

from __future__ import annotations

import pytest

from lokinet_node.chain.terms import COIN, NetworkType, Term, duration, parse_term, price


@pytest.mark.parametrize(
    ("network", "blocks"),
    [
        (NetworkType.MAINNET, (264_960, 529_920, 1_324_800, 2_649_600)),
        (NetworkType.TESTNET, (720, 1440, 3600, 2_649_600)),
        (NetworkType.FAKECHAIN, (2, 4, 10, 20)),
    ],
)
def test_each_network_has_lokinets_durations(network: NetworkType, blocks: tuple[int, ...]) -> None:
    assert tuple(duration(network, term) for term in Term) == blocks


def test_prices_are_those_since_hard_fork_18() -> None:
    assert [price(term) // COIN for term in Term] == [7, 14, 28, 42]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("lokinet", Term.ONE_YEAR),
        ("LOKINET", Term.ONE_YEAR),
        ("lokinet_1y", Term.ONE_YEAR),
        ("lokinet_2y", Term.TWO_YEARS),
        ("lokinet_5years", Term.FIVE_YEARS),
        ("lokinet_10y", Term.TEN_YEARS),
        ("2", Term.ONE_YEAR),
        ("5", Term.TEN_YEARS),
        ("session", None),
        ("wallet", None),
        ("0", None),
        ("1", None),
        ("6", None),
        ("lokinet_3y", None),
    ],
)
def test_terms_have_lokinets_spellings_and_no_others(text: str, term: Term | None) -> None:
    assert parse_term(text) == term
