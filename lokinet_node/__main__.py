"""`python -m lokinet_node` is `lokinet`."""

from __future__ import annotations

import sys

from lokinet_node.cli import main

if __name__ == "__main__":
    sys.exit(main())
