"""docs/config.md says exactly what the schema says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokinet_node.node.config_schema import SCHEMA
from lokinet_node.node.config_template import reference_table

PAGE = Path(__file__).parents[3] / "docs" / "config.md"


@pytest.mark.parametrize("section", list(SCHEMA))
def test_the_page_has_the_current_table_of_every_section(section: str) -> None:
    _, found, rest = PAGE.read_text().partition(f"## [{section}]\n")
    assert found, f"docs/config.md has no part [{section}]"
    expected = reference_table(section)
    assert expected in rest.partition("\n## ")[0] + "\n", f"expected this table:\n{expected}"
