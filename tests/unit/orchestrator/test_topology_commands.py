"""`validate`, `init`, `render`, `schema`, `completion`: words about files, without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.arguments import parse
from orchestrator.cli.process import run
from orchestrator.load import load

ROOT = Path(__file__).parents[3]
GOOD = "name: x\nnodes:\n  router: {role: router, count: 4}\n  a: {role: client}\n"


@pytest.fixture(autouse=True)
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp/r")
    monkeypatch.chdir(tmp_path)


def command(*argv: str) -> int:
    arguments = parse(list(argv))
    return int(arguments.load()(arguments))


def failing(*argv: str) -> int:
    """As a process would run it; SIGINT's handler is put back."""
    import signal

    before = signal.getsignal(signal.SIGINT)
    try:
        return run(list(argv))
    finally:
        signal.signal(signal.SIGINT, before)


def test_validate_tells_every_fault_of_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.yaml").write_text(GOOD)
    Path("bad.yaml").write_text(f"{GOOD}hosp: 3\nlog: inof\n")
    assert command("validate", "good.yaml", "bad.yaml", "gone.yaml", "defualt") == 2
    assert capsys.readouterr().out.splitlines() == [
        "good.yaml: ok, 5 nodes",
        "bad.yaml:5: unknown key 'hosp': did you mean 'hops'?",
        "bad.yaml:6: log: 'inof' is not one of 'trace', 'debug', 'info', 'warn', 'error', "
        "'critical', 'none': did you mean 'info'?",
        "cannot read topology gone.yaml: No such file or directory",
        "no topology 'defualt': did you mean 'default'?",
    ]


def test_validate_prints_data(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text(f"{GOOD}hosp: 3\n")
    assert command("validate", "--json", "bad.yaml", "minimal") == 2
    text = "unknown key 'hosp': did you mean 'hops'?"
    assert json.loads(capsys.readouterr().out) == [
        {"file": "bad.yaml", "ok": False, "nodes": 0, "faults": [{"line": 5, "text": text}]},
        {"file": "minimal", "ok": True, "nodes": 6, "faults": []},
    ]
    assert command("validate", "minimal") == 0


@pytest.mark.parametrize("preset", ["minimal", "default"])
def test_init_writes_a_commented_topology_called_like_its_file(preset: str) -> None:
    assert command("init", "mine.yaml", "--preset", preset) == 0
    topology = load(Path("mine.yaml"))
    assert topology.name == "mine"
    assert "# underlay: 10.77.0.0/16" in Path("mine.yaml").read_text()


def test_init_overwrites_nothing_and_knows_its_presets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("testnet.yaml").write_text("mine")
    assert failing("init") == 2
    assert "testnet.yaml is there already: name another file" in capsys.readouterr().err
    assert Path("testnet.yaml").read_text() == "mine"
    assert failing("init", "new.yaml", "--preset", "minmal") == 2
    assert "no preset 'minmal': did you mean 'minimal'?" in capsys.readouterr().err
    assert not Path("new.yaml").exists()
    assert failing("init", "no/where.yaml") == 2
    assert "cannot write no/where.yaml: No such file" in capsys.readouterr().err


def test_init_prints_and_keeps_the_name_where_the_file_has_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command("init", "-") == 0
    assert "\nname: minimal\n" in capsys.readouterr().out
    assert command("init", "Not A Name.yaml") == 0
    assert load(Path("Not A Name.yaml")).name == "minimal"
    assert command("init", "--list") == 0
    assert "minimal    The smallest network" in capsys.readouterr().out


def test_render_prints_the_files_and_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("render", "minimal") == 0
    out = capsys.readouterr().out
    assert "# --- alice/lokinet.ini\n[router]\nnetid=testnet\n" in out
    assert "# --- web runs nginx\n# nginx -e stderr" in out
    assert command("render", "minimal", "--json") == 0
    nodes = {node["node"]: node for node in json.loads(capsys.readouterr().out)["nodes"]}
    assert nodes["alice"]["programs"]["lokinet"][-1].endswith("/alice/lokinet.ini")
    assert "nickname=router-1" in nodes["router-1"]["files"]["lokinet.ini"]


def test_render_writes_to_an_empty_directory_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("render", "minimal", "-o", "out") == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "alice", "router-1", "router-2", "router-3", "router-4", "web",
    ]  # fmt: skip
    assert "lokinet_node" in Path("out/alice/commands").read_text()
    assert Path("out/web/nginx/www/index.html").is_file()
    assert failing("render", "minimal", "-o", "out") == 2
    assert "out is not empty" in capsys.readouterr().err


def test_render_prints_a_compose_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("render", "compose", "minimal", "--context", str(ROOT)) == 0
    out = capsys.readouterr().out
    assert out.startswith("# The network minimal, written by `testnet render compose`.\n")
    assert yaml.safe_load(out)["services"]["alice"]["network_mode"] == "service:alice.tools"
    assert command("render", "compose", "minimal", "--json", "-n", "mine") == 0
    assert "router-4" in json.loads(capsys.readouterr().out)["services"]
    assert command("render", "compose") == 0
    assert "# The network default, " in capsys.readouterr().out
    assert list(Path().iterdir()) == []


def test_render_writes_a_compose_file_beside_others_and_over_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("minimal", "default", "minimal"):
        assert command("render", "compose", name, "-o", "out/here") == 0
        assert f"wrote out/here/{name}.yaml" in capsys.readouterr().err
    here = Path("out/here")
    assert sorted(path.name for path in here.iterdir()) == [
        "default.yaml", "minimal.yaml", "resolv.conf",
    ]  # fmt: skip
    build = yaml.safe_load((here / "minimal.yaml").read_text())["services"]["alice"]["build"]
    assert (here / build["context"]).resolve() == ROOT


def test_render_compose_leaves_alone_what_it_did_not_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("minimal.yaml").write_text("services: {}\n")
    assert failing("render", "compose", "minimal", "-o", ".") == 2
    assert "minimal.yaml is there already, and not from here" in capsys.readouterr().err
    assert Path("minimal.yaml").read_text() == "services: {}\n"
    Path("resolv.conf").write_text("nameserver 9.9.9.9\n")
    assert failing("render", "compose", "default", "-o", ".") == 2
    assert "resolv.conf is there already" in capsys.readouterr().err
    assert not Path("default.yaml").exists()


def test_render_says_what_its_words_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing("render", "minimal", "default") == 2
    assert "minimal: a topology becomes files, or with `compose` one file" in (
        capsys.readouterr().err
    )
    assert failing("render", "minimal", "--context", ".") == 2
    assert "--context is of a compose file" in capsys.readouterr().err
    assert failing("render", "compose", "minimal", "--context", ".") == 2
    assert "no Dockerfile in .: " in capsys.readouterr().err
    assert failing("render", "compose", "minimal", "-n", "../up", "-o", ".") == 2
    assert "'../up' is no name" in capsys.readouterr().err
    assert failing("render", "compose", "minmal") == 2
    assert "did you mean 'minimal'?" in capsys.readouterr().err


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "testnet topology"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_code_for_each_shell(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("completion", shell) == 0
    captured = capsys.readouterr()
    assert "testnet" in captured.out
    assert "_ARGCOMPLETE" in captured.out
    assert f"testnet completion {shell}" in captured.err


def completions(line: str, tmp_path: Path) -> list[str]:
    """What the command answers a shell that asks by argcomplete's protocol."""
    answer = tmp_path / "answer"
    env = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-P", "-m", "orchestrator"],
        env={**env, "PYTHONPATH": str(root)},
        check=True,
        timeout=20,
    )
    return [word.strip() for word in answer.read_text().split("\n")]


def test_a_shell_is_told_commands_options_nodes_and_topologies(tmp_path: Path) -> None:
    for node in ("alice", "albert", "bob"):
        (tmp_path / "state/lokinet-testnet/net/nodes" / node).mkdir(parents=True)
    assert completions("testnet ins", tmp_path) == ["inspect"]
    assert "--keep-on-failure" in completions("testnet up --k", tmp_path)
    assert sorted(completions("testnet exec al", tmp_path)) == ["albert", "alice"]
    assert completions("testnet up mini", tmp_path) == ["minimal"]
    assert completions("testnet ps -n ", tmp_path) == ["net"]


def test_bash_completes_by_what_completion_printed(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "testnet"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m orchestrator "$@"\n')
    script.chmod(0o755)
    ask = (
        'eval "$(testnet completion bash 2>/dev/null)"\n'
        'COMP_LINE="testnet vali" COMP_POINT=12 COMP_WORDS=(testnet vali) COMP_CWORD=1\n'
        "COMP_TYPE=9\n"
        "$(complete -p testnet | sed 's/.* -F \\([^ ]*\\) .*/\\1/') testnet\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    root = Path(__file__).parents[3]
    path = f"{folder}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(root)}
    result = subprocess.run(
        ["bash", "-c", ask], env=env, capture_output=True, text=True, check=False, timeout=30
    )
    assert result.stdout.strip() == "validate", result.stderr
