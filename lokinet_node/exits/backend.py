"""Who decides about callers' tokens; read with the configuration, which loads nothing heavy."""

from __future__ import annotations

from enum import Enum


class Backend(Enum):
    """Who decides about tokens that are not in the configuration."""

    NONE = "none"
    FILE = "file"
    HTTP = "http"
