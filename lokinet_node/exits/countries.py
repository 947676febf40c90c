"""Which addresses are in which country: a plain list of ranges, one and its country a line.

    # comment
    203.0.113.0/24 NL
    2001:db8::/32,DE

Blanks, commas and semicolons separate; a country is two letters. A range may stand under several
countries, and then is in each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lokinet_node.base.errors import NameSyntaxError, OperatorError
from lokinet_node.exits.exit_range import ExitRange, parse_exit_range

_SEPARATORS: Final = re.compile(r"[\s,;]+")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")


def parse_country(text: str) -> str:
    """Two letters, in upper case; NameSyntaxError otherwise."""
    if not _COUNTRY.fullmatch(text):
        raise NameSyntaxError(f"{text!r} is not a country of two letters such as NL")
    return text.upper()


def ranges_of_countries(
    text: str, file: str, countries: Iterable[str]
) -> dict[str, tuple[ExitRange, ...]]:
    """The ranges of some countries; OperatorError as `file:line: text` for a line that is none.

    A country without any line is an error, too: a list that does not know it decides nothing.
    """
    found: dict[str, list[ExitRange]] = {country: [] for country in countries}
    for number, line in enumerate(text.splitlines(), 1):
        words = _SEPARATORS.split(line.partition("#")[0].strip())
        if words == [""]:
            continue
        try:
            if len(words) != 2:
                raise NameSyntaxError("a line is a range and a country, such as 192.0.2.0/24 NL")
            range_, country = parse_exit_range(words[0]), parse_country(words[1])
        except NameSyntaxError as error:
            raise OperatorError(f"{file}:{number}: {error}") from error
        if country in found:
            found[country].append(range_)
    missing = [country for country, ranges in found.items() if not ranges]
    if missing:
        raise OperatorError(f"{file}:1: no line names the country {', '.join(missing)}")
    return {country: tuple(ranges) for country, ranges in found.items()}
