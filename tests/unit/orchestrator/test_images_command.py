"""`testnet images`: what it lays out and what it refuses; that images come of it is in docker/."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.engine.images import OURS
from orchestrator.render_images import APPLICATION_IMAGES
from orchestrator.sources import image_names, lay_out

ROOT = Path(__file__).parents[3]
FILES = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "packages.txt",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements.txt",
)
FOLDERS = (".ci", "compose", "images", "lokinet_node")


def tracked(root: Path, folder: str) -> set[str]:
    """Files of a checkout's folder by their paths, without what Python leaves there."""
    found = (path for path in (root / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in found if "__pycache__" not in path.parts}


def test_what_is_laid_out_is_the_checkout_byte_by_byte(tmp_path: Path) -> None:
    lay_out(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, *FOLDERS])
    assert tracked(tmp_path, ".ci") == {".ci/engine", ".ci/setup"}
    for folder in FOLDERS[1:]:
        assert tracked(tmp_path, folder) == tracked(ROOT, folder)
    for path in tmp_path.rglob("*"):
        assert not path.is_symlink()
        if path.is_file():
            source = ROOT / path.relative_to(tmp_path)
            assert path.read_bytes() == source.read_bytes()
            assert path.stat().st_mode == source.stat().st_mode


def test_all_that_is_built_is_known() -> None:
    assert image_names() == ["clearnet", "node", "tools", "voip", "web"]


def test_the_sources_are_written_where_nothing_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "folder"
    assert main(["images", "-o", str(folder)]) == 0
    assert f"{folder}/images/build builds them" in capsys.readouterr().err
    assert main(["images", "-o", str(folder)]) == 2
    assert f"{folder} is not empty" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["images", "-o", str(tmp_path / "file")]) == 2
    assert f"cannot write {tmp_path}/file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wbe"], "no image 'wbe': did you mean 'web'?"),
        (["xyzzy"], "no image 'xyzzy': there are clearnet, node, tools, voip, web"),
        (["web", "-o", "somewhere"], "-o writes the sources of all images: name none"),
    ],
)
def test_words_that_make_no_sense(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["images", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_an_engine_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert main(["images", "web"]) == 4
    said = capfd.readouterr().err
    assert "no Docker engine answers" in said
    assert "the images were not built" in said


def test_a_compose_file_is_made_beside_it(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    lay_out(sources)
    words = ["render", "compose", "minimal", "-o", str(tmp_path), "--context", str(sources)]
    assert main(words) == 0
    assert "build: {context: sources}" in (tmp_path / "minimal.yaml").read_text()
    assert subprocess.run(["bash", "-n", sources / "images" / "build"], check=False).returncode == 0


def test_what_networks_are_made_of_is_what_is_built() -> None:
    assert set(OURS) == set(image_names())
    assert set(APPLICATION_IMAGES.values()) <= set(OURS)
