"""The rooms are where docs/architecture.md says they are."""

from __future__ import annotations

import re
from pathlib import Path

import orchestrator

PACKAGE = Path(orchestrator.__file__).parent
DOCUMENT = PACKAGE.parent / "docs" / "architecture.md"


def test_the_architecture_names_every_room_of_the_orchestrator_and_no_other() -> None:
    section = DOCUMENT.read_text().partition("## Rooms of the orchestrator\n")[2]
    picture = section.split("```")[1]
    named = set(re.findall(r"\b\w+(?:\.py\b|/)", picture))
    rooms = {path.name for path in PACKAGE.glob("[a-z]*.py")}
    rooms |= {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert named == rooms
