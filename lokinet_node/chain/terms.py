"""How long a bought name lives, and what it costs.

A name is bought for 1, 2, 5 or 10 years; the number of the term is the `type` of the purchase
(2 to 5). A year is 368 days of 720 blocks. The test network shortens all but the longest term to
days, the fake chain every term to two blocks a year. Source: oxen-core, expiry_blocks and
oxen_economy.h.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

BLOCKS_PER_DAY = 720
YEAR_DAYS = 368
BLOCKS_PER_YEAR = BLOCKS_PER_DAY * YEAR_DAYS
COIN = 1_000_000_000
"""Atomic units of an OXEN: amounts are integers of these."""

LOKINET_TYPE = 2
"""The one record type this chain has; 0 (Session) and 1 (wallet) exist and are always empty."""
RECORD_TYPES = frozenset({0, 1, LOKINET_TYPE})

TARGET_BLOCK_TIME_S = 120.0
"""Between two blocks of the main chain."""


class NetworkType(StrEnum):
    """Which terms hold; chosen when a chain is made."""

    MAINNET = "mainnet"
    TESTNET = "testnet"
    FAKECHAIN = "fakechain"


class Term(IntEnum):
    """The types a purchase or a renewal can have."""

    ONE_YEAR = LOKINET_TYPE
    TWO_YEARS = 3
    FIVE_YEARS = 4
    TEN_YEARS = 5


_YEARS = {Term.ONE_YEAR: 1, Term.TWO_YEARS: 2, Term.FIVE_YEARS: 5, Term.TEN_YEARS: 10}
_PRICES = {Term.ONE_YEAR: 7, Term.TWO_YEARS: 14, Term.FIVE_YEARS: 28, Term.TEN_YEARS: 42}
_FAKE_BLOCKS_PER_YEAR = 2

_SPELLINGS = {str(int(term)): term for term in Term} | {
    "lokinet": Term.ONE_YEAR,
    "lokinet_1y": Term.ONE_YEAR,
    "lokinet_1years": Term.ONE_YEAR,
    "lokinet_2y": Term.TWO_YEARS,
    "lokinet_2years": Term.TWO_YEARS,
    "lokinet_5y": Term.FIVE_YEARS,
    "lokinet_5years": Term.FIVE_YEARS,
    "lokinet_10y": Term.TEN_YEARS,
    "lokinet_10years": Term.TEN_YEARS,
}


def duration(network: NetworkType, term: Term) -> int:
    """Blocks that a term adds to a name's life."""
    years = _YEARS[term]
    if network is NetworkType.FAKECHAIN:
        return years * _FAKE_BLOCKS_PER_YEAR
    if network is NetworkType.TESTNET and term is not Term.TEN_YEARS:
        return years * BLOCKS_PER_DAY
    return years * BLOCKS_PER_YEAR


def price(term: Term) -> int:
    """What a purchase or renewal burns, in atomic units; updates burn nothing."""
    return _PRICES[term] * COIN


def parse_term(text: str) -> Term | None:
    """A term by its number or Lokinet's spelling (`lokinet`, `lokinet_2y`, ...), in any case."""
    return _SPELLINGS.get(text.lower())
