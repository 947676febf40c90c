"""`lokinet` from the command line: exit codes, messages, and what reaches the node."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from lokinet_node import __version__, cli
from lokinet_node.base.errors import OperatorError
from lokinet_node.node.config import Config, Role

CLIENT = "[router]\ndata-dir=.\n[bootstrap]\nseed-node=1\n"
ROUTER = (
    "[router]\nnetid=mynet\ndata-dir=.\nblock-bogons=0\n[lokid]\nenabled=0\n"
    "[bind]\ninbound=10.0.0.2:1090\n[bootstrap]\nseed-node=1\n"
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Every configuration a node was started with, instead of starting it."""
    configs: list[Config] = []

    def run(config: Config) -> int:
        configs.append(config)
        return 0

    fake = types.ModuleType("lokinet_node.run")
    fake.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, "lokinet_node.run", fake)
    return configs


def fails_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def run(_: Config) -> int:
        raise error

    fake = types.ModuleType("lokinet_node.run")
    fake.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, "lokinet_node.run", fake)


def ini(tmp_path: Path, text: str) -> str:
    path = tmp_path / "lokinet.ini"
    path.write_text(text)
    return str(path)


def test_a_configuration_is_run_however_it_is_named(tmp_path: Path, started: list[Config]) -> None:
    path = ini(tmp_path, CLIENT)
    assert cli.main([path]) == 0
    assert cli.main(["--config", path]) == 0
    assert [config.role for config in started] == [Role.CLIENT] * 2
    assert started[0].data_dir == str(tmp_path)


@pytest.mark.parametrize("options", [[], ["-r"], ["--router"]])
def test_a_routers_file_runs_a_router_with_or_without_the_option(
    tmp_path: Path, started: list[Config], options: list[str]
) -> None:
    assert cli.main([*options, ini(tmp_path, ROUTER)]) == 0
    assert started[0].role is Role.ROUTER


def test_conf_d_is_read(tmp_path: Path, started: list[Config]) -> None:
    path = ini(tmp_path, CLIENT)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "hops.ini").write_text("[network]\nhops=2\n")
    assert cli.main([path]) == 0
    assert started[0].network.hops == 2


def test_every_problem_is_a_line_with_its_place(
    tmp_path: Path, started: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    path = ini(tmp_path, CLIENT + "[network]\nhosp=4\nhops=9\n")
    assert cli.main([path]) == 1
    found = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in found] == [f"{path}:6", f"{path}:7"]
    assert started == []


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(tmp_path / "absent.ini")]) == 1
    assert f"{tmp_path / 'absent.ini'}: cannot be read" in capsys.readouterr().err


def test_a_start_that_the_operator_must_mend_ends_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(monkeypatch, OperatorError("/dev/net/tun: not permitted"))
    assert cli.main([ini(tmp_path, CLIENT)]) == 1
    assert capsys.readouterr().err == "/dev/net/tun: not permitted\n"


def test_a_node_that_fails_ends_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(monkeypatch, ZeroDivisionError("x"))
    assert cli.main([ini(tmp_path, CLIENT)]) == 2
    assert "the node failed" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["-r"]])
def test_a_generated_file_is_private_and_never_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    path = tmp_path / "new.ini"
    assert cli.main(["-g", *options, str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"data-dir={tmp_path}\n" in path.read_text()
    path.write_text("mine")
    assert cli.main(["-g", *options, str(path)]) == 1
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert cli.main(["--generate", "--force", *options, str(path)]) == 0
    assert "data-dir" in path.read_text()


def test_without_a_path_the_default_file_is_made_once_and_run(
    tmp_path: Path, started: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "state"
    monkeypatch.setattr(cli, "_default_directory", lambda: str(home))
    assert cli.main([]) == 1, "a fresh node knows nobody"
    assert (home / "lokinet.ini").exists()
    (home / "lokinet.ini").write_text(CLIENT)
    assert cli.main([]) == 0
    assert started[0].path == str(home / "lokinet.ini")


@pytest.mark.parametrize(
    "arguments", [["a", "b"], ["a", "--config", "b"], ["-f", "a"], ["--nonsense"]]
)
def test_wrong_usage_ends_with_one(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 1


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "lokinet_node", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"lokinet-{__version__}\n"


def test_reading_a_configuration_loads_nothing_heavy() -> None:
    code = (
        "import sys, lokinet_node.cli;"
        "print(*sorted({'asyncio', 'dnslib', 'nacl', 'cryptography', 'pydantic', 'typer', 'rich',"
        " 'difflib', 'logging'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
