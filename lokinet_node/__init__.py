"""The onion router: `lokinet`. docs/architecture.md describes its rooms and who may import whom."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
