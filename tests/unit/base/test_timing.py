"""Durations: the defaults agree with each other, and contradictions are named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND


def test_the_defaults_do_not_contradict_each_other() -> None:
    assert Timing().problem() is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"path_lifetime": 60 * SECOND}, "path-rotate-before"),
        ({"introset_refresh": 1200 * SECOND}, "introset-refresh"),
        ({"link_reject": 120 * SECOND}, "link-rekey"),
        ({"contact_lifetime": 7201 * SECOND}, "onion-key-rotation"),
        ({"name_cache": 3601 * SECOND}, "name-cache"),
    ],
)
def test_a_contradiction_names_the_keys(changes: dict[str, int], named: str) -> None:
    problem = replace(Timing(), **changes).problem()
    assert problem is not None
    assert named in problem
