"""The orchestrator: `testnet` brings up, watches and removes whole networks of nodes."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
