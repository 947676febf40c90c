"""What a check needs of this machine besides Python: programs, and packages of an extra."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence

from orchestrator.backends import clean_environment
from orchestrator.checks.verdict import Verdict, missing

__all__ = ["missing_needs"]

DISTRIBUTION = "lokinet-testnet"


def missing_needs(
    expected: str, programs: Mapping[str, str], extra: str = "", modules: Sequence[str] = ()
) -> Verdict | None:
    """What is not here and how to get it; None if all is.

    Args:
        expected: by the check.
        programs: each with the Debian package that has it.
        extra: of this distribution, that has the modules.
        modules: Python's.
    """
    path = clean_environment()["PATH"]
    absent = [name for name in programs if shutil.which(name, path=path) is None]
    unknown = [name for name in modules if importlib.util.find_spec(name) is None]
    remedies = []
    if absent:
        packages = sorted({programs[name] for name in absent})
        remedies.append(f"`apt-get install --no-install-recommends {' '.join(packages)}`")
    if unknown:
        remedies.append(f"`pip install '{DISTRIBUTION}[{extra}]'`")
    if not remedies:
        return None
    what = [f"no program {name}" for name in absent]
    what += [f"no Python module {name}" for name in unknown]
    return missing(expected, f"there is {', '.join(what)} here", " and ".join(remedies))
