"""The images networks are made of, as they are in the engine now."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.engine.client import Engine
from orchestrator.errors import HostUnfit
from orchestrator.ops import Image

__all__ = ["OURS", "PYTHON", "finder"]

OURS = {
    word: f"localhost/lokinet-testnet/{word}:local"
    for word in ("node", "web", "tools", "clearnet", "voip")
}
"""What `testnet images` builds; `localhost` names no registry, so nothing is ever fetched."""
PYTHON = "/opt/lokinet/bin/python"
"""In the node image."""


def finder(engine: Engine) -> Callable[[str], Image]:
    """Images by a word of ours or by their own names, each asked for once; raises HostUnfit."""
    found: dict[str, Image] = {}

    def image_of(word: str) -> Image:
        if word not in found:
            name = OURS.get(word, word)
            row = engine.image(name)
            if row is None:
                fix = "`testnet images` builds it" if word in OURS else f"`docker pull {name}`"
                raise HostUnfit(f"the engine has no image {name}: {fix}")
            found[word] = Image(name, str(row["Id"]))
        return found[word]

    return image_of
