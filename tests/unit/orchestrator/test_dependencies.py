"""What is installed is what is imported, and the lock files hold nothing of who made them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
IMPORTED_AS = {
    "backports-tarfile": "backports",
    "pynacl": "nacl",
    "pyyaml": "yaml",
    "python-pytun": "pytun",
}
LOCKS = ("requirements.txt", "requirements-dev.txt")


def imported(package: str) -> set[str]:
    """The first word of everything a package's files import."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


def required(extra: str | None = None) -> set[str]:
    """Names of the dependencies in pyproject.toml, or those of an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return {re.split(r"[<>=!~ \[]", line, maxsplit=1)[0] for line in lines}


def test_every_dependency_is_imported_and_every_import_is_a_dependency() -> None:
    own = {"lokinet_node", "orchestrator", "pydantic_core"}  # the last is half of pydantic
    foreign = (imported("lokinet_node") | imported("orchestrator")) - own - sys.stdlib_module_names
    extras = required("pytest") | required("voip") | required("browser")
    named = required() | extras  # who has an extra has its part
    # av comes with the next part of voice/
    assert {IMPORTED_AS.get(name, name) for name in named} - {"av"} == foreign - {"av"}


def test_without_the_extras_nothing_but_calls_and_pages_is_missing() -> None:
    """Nothing that starts a command or a test loads what they bring: it may not be there."""
    named = required("voip") | required("browser")
    extras = sorted(IMPORTED_AS.get(name, name) for name in named)
    start = "import sys, orchestrator.cli.test, orchestrator.testing, orchestrator.report.page"
    told = f"{start}; print([name for name in {extras} if name in sys.modules])"
    command = [sys.executable, "-c", told]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_only_the_plugin_imports_what_only_it_requires() -> None:
    for path in (ROOT / "orchestrator").rglob("*.py"):
        if path.name != "pytest_plugin.py":
            assert "import pytest\n" not in path.read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_by_hash_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^([a-z0-9-]+)==[\w.]+ \\\n    --hash=sha256:", text, re.MULTILINE)
    assert required() <= set(pins)
    rest = [
        line
        for line in text.splitlines()
        if line and not line.startswith((*pins, "    --hash", "#"))
    ]
    assert rest == []
    assert re.search(r"://|[a-z]+\.(org|com|net|example)\b|/\w+/|^-", text, re.MULTILINE) is None
