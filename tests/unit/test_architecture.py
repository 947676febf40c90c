"""Rules of the house that no other tool checks: file length, hot loops, leaks, packaging."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import lokinet_node
import orchestrator
from orchestrator.load import find_topology, load

ROOT = Path(__file__).parents[2]
WARN_LINES, MOST_LINES = 400, 500

# Assembled here so that this file does not contain them.
FORBIDDEN = [
    "../sha" + "red",
    "/work/" + "shared",
    "/work/" + "main",
    "/work/" + ".library",
    "/tmp/" + "brief",
    "farm" + "-bench",
    "farm" + "-studio",
    "issues" + " show",
    "pypi" + ".org",
    "python" + "hosted",
    "npmjs" + ".org",
    "deb." + "debian.org",
    "archive." + "ubuntu.com",
]


def files() -> list[Path]:
    """What is or could be committed; without git (an unpacked archive) what lies in our folders."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        folders = ("lokinet_node", "orchestrator", "tests", "docs", "topologies")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def sources() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_source_file_stays_short() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in sources()}
    for path, lines in lengths.items():
        if lines > WARN_LINES:
            warnings.warn(f"{path} has {lines} lines: split it by kind of knowledge", stacklevel=1)
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_file_names_anything_outside_the_project() -> None:
    leaks = [
        (name(path), word)
        for path in files()
        for word in FORBIDDEN
        if word.encode() in path.read_bytes()
    ]
    assert leaks == []


# --- hot loops -----------------------------------------------------------------------------------


def is_hot(tree: ast.Module) -> bool:
    return (ast.get_docstring(tree) or "").startswith("Hot:")


def fault(node: ast.AST) -> str | None:
    """What the node does that a loop over cells must not do, or None."""
    match node:
        case ast.Try() | ast.TryStar():
            return "try"
        case ast.JoinedStr():
            return "f-string"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return "comprehension"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logger" | "logging"))):
            return "logging"
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
            return "class construction" if re.match(r"_?[A-Z]", called) else None
        case _:
            return None


def hot_faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, fault) in the bodies of all `for` loops; an iterable is evaluated once and is free."""
    for loop in ast.walk(tree):
        if isinstance(loop, ast.For):
            for statement in loop.body:
                for node in ast.walk(statement):
                    if found := fault(node):
                        yield node.lineno, found  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("try:\n  pass\n except ValueError:\n  pass", "try"),
        ("x = f'{cell}'", "f-string"),
        ("x = [y for y in cell]", "comprehension"),
        ("x = sum(y for y in cell)", "comprehension"),
        ("log.debug('cell')", "logging"),
        ("x = Cell(cell)", "class construction"),
        ("x = wire.Cell(cell)", "class construction"),
        ("if cell:\n  x = _Cell(cell)", "class construction"),
    ],
)
def test_the_hot_rule_sees_each_fault(body: str, expected: str) -> None:
    tree = ast.parse(f'"""Hot: cells."""\nfor cell in burst:\n {body}\n')
    assert is_hot(tree)
    assert expected in [found for _, found in hot_faults(tree)]


def test_the_hot_rule_lets_plain_arithmetic_and_iterables_pass() -> None:
    tree = ast.parse("for cell in [Cell(x) for x in burst]:\n drops[3] += table.get(cell, MISS)\n")
    assert list(hot_faults(tree)) == []


def test_no_hot_module_builds_anything_per_cell() -> None:
    trees = {name(path): ast.parse(path.read_text()) for path in sources()}
    hot = {path: tree for path, tree in trees.items() if is_hot(tree)}
    assert [(path, *found) for path, tree in hot.items() for found in hot_faults(tree)] == []


# --- packaging -----------------------------------------------------------------------------------


def project() -> dict[str, list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        table = tomllib.load(file)["project"]
    development = [*table["dependencies"], *table["optional-dependencies"]["dev"]]
    return {"requirements.txt": table["dependencies"], "requirements-dev.txt": development}


@pytest.mark.parametrize("lock", project())
def test_each_dependency_is_locked_with_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text()
    locked = dict(
        re.findall(r"^([a-z0-9-]+)==\S+( \\\n {4}--hash=sha256:[0-9a-f]{64})?", text, re.M)
    )
    wanted = {re.split(r"[<>=]", line)[0].lower() for line in project()[lock]}
    assert wanted <= locked.keys()
    assert [package for package, digest in locked.items() if not digest] == []


@pytest.mark.parametrize("lock", project())
def test_a_lock_file_names_no_place_to_download_from(lock: str) -> None:
    assert (
        re.findall(r"^.*(?:://|--index|--find|--trusted|@ ).*$", (ROOT / lock).read_text(), re.M)
        == []
    )


def test_both_programs_bear_one_version() -> None:
    assert lokinet_node.__version__ == orchestrator.__version__


@pytest.mark.parametrize("path", sorted((ROOT / "topologies").glob("*.yaml")), ids=name)
def test_a_topology_that_comes_along_is_found_by_name_and_loads(path: Path) -> None:
    found = find_topology(path.stem)
    assert found.resolve() == path
    assert load(found).name == path.stem


def test_the_default_topology_is_there() -> None:
    assert (ROOT / "topologies" / "default.yaml").is_file()
