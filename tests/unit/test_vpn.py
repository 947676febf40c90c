"""`lokinet-vpn`: every flag, message and exit code, against a node behind a real control socket."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from lokinet_node import __version__
from lokinet_node.exits.auth import Doorman
from lokinet_node.exits.backend import Backend
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.wire.offer import Offer
from tests.unit.served import Ended, ServedNode, module

NOBODY = "y" * 52 + ".loki"
TEST_NET = "203.0.113.0/24"


class Bench:
    """Alice, whose node is asked, two exits, one of which wants a token, and a service."""

    def __init__(self, directory: Path) -> None:
        self.world = World(seed=5, chain=True)
        self.open, self.closed = self.exit("open"), self.exit("closed")
        self.web = self.world.client("web")
        self.alice = self.world.client("alice")
        self.closed.role.gate.keep(
            Doorman(
                whitelist=(),
                tokens=("sesame",),
                backend=Backend.NONE,
                entropy=lambda size: b"k" * size,
            )
        )
        self.world.settle()
        self.world.names.buy("exit.loki", self.open.role.address)
        self.node = ServedNode(directory, self.world, self.alice)

    def exit(self, name: str) -> ClientMachine:
        machine = self.world.client(name)
        machine.role.offer = Offer(is_exit=True)
        return machine

    def vpn(self, *arguments: str) -> Ended:
        return self.each(arguments)[0]

    def each(self, *commands: tuple[str, ...]) -> list[Ended]:
        url = ("--rpc", f"ipc://{self.node.path}")
        return self.node.run(*(module("lokinet_node.vpn", *one, *url) for one in commands))

    def mapped(self) -> dict[str, str]:
        rows = self.alice.role.exits.use.map_.rows()
        return {str(range_): str(exit_) for range_, exit_ in rows}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """For tests that change nothing."""
    return Bench(tmp_path_factory.mktemp("still"))


def alone(*arguments: str) -> Ended:
    """Without any node."""
    command = module("lokinet_node.vpn", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


# --- the command line alone


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "One of --add/--remove/--swap/--status/--kill must be specified"),
        (("--exit", NOBODY), "One of --add"),
        (("--up", "--down"), "Only one of --add/--remove/--swap/--status/--kill may"),
        (("--add", "--status", "--exit", NOBODY), "Only one of"),
        (("--status", "-k"), "Only one of"),
        (("--swap", NOBODY, NOBODY, "--up"), "Only one of"),
        (("--swap", NOBODY), "expected 2 arguments"),
        (("--nonsense",), "unrecognized arguments: --nonsense"),
        (("--status", "--token", "a", "--token-file", "b"), "not allowed with argument"),
        (("--stat",), "unrecognized arguments: --stat"),
        (("--status", "--log-level", "loud"), "invalid choice: 'loud'"),
        (("--status", "extra"), "unrecognized arguments: extra"),
    ],
)
def test_a_command_line_that_does_not_say_what_to_do_ends_with_3(
    arguments: tuple[str, ...], said: str
) -> None:
    done = alone(*arguments)
    assert (done.code, done.stdout) == (3, "")
    assert said in done.stderr


def test_up_needs_an_exit() -> None:
    for flag in ("--up", "--add"):
        done = alone(flag)
        assert (done.code, done.stdout) == (1, "")
        assert done.stderr == "no exit address provided, must specify --exit ADDRESS\n"


def test_help_and_version_need_no_node() -> None:
    assert alone("--version").stdout == f"lokinet-{__version__}\n"
    page = alone("--help")
    assert page.code == 0
    for flag in ("--up, --add", "--down, --remove", "--swap OLD NEW", "-k, --kill", "--token"):
        assert flag in page.stdout


def test_a_node_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"
    done = alone("--status", "--rpc", f"ipc://{path}")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == (
        f"failed to connect to lokinet at {path}: No such file or directory; does it run?"
        " --rpc says where\n"
    )
    done = alone("--status", "--rpc", "tcp://127.0.0.1:1190")
    assert done.code == 1
    assert "a node listens at ipc://PATH only, no TCP" in done.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the connection ended without an answer"),
        (b"hello\n", "failed to parse the answer; is this a lokinet?"),
        (b"[]\n", "failed to parse the answer"),
        (b'{"id": 1}\n', "failed to parse the answer"),
    ],
)
def test_somebody_else_at_the_socket_is_noticed(tmp_path: Path, answer: bytes, said: str) -> None:
    path = str(tmp_path / "other.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        done = alone("--status", "--rpc", path)
        thread.join()
    assert (done.code, done.stdout) == (1, "")
    assert said in done.stderr


def test_ctrl_c_ends_the_wait_and_says_what_may_follow(tmp_path: Path) -> None:
    path = str(tmp_path / "slow.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        command = module("lokinet_node.vpn", "--up", "--exit", NOBODY, "--rpc", path)
        # what is started in the background ignores Ctrl-C, and so would what it starts
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        finally:
            signal.signal(signal.SIGINT, before)
        with process:
            connection, _ = listener.accept()
            with connection:
                assert b"llarp.map_exit" in connection.recv(1 << 16)
                process.send_signal(signal.SIGINT)
                _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == "interrupted; --down undoes what the node may still be doing\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory; it should hold a token"),
        (b"", "it should hold one line, the token, and nothing else"),
        (b"\n", "it should hold one line"),
        (b"one\ntwo\n", "it should hold one line"),
        (b"x" * 2000, "it should hold one line"),
        (b"\xff\n", "a token is text in UTF-8"),
    ],
)
def test_a_file_that_holds_no_token_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    done = alone("--up", "--exit", NOBODY, "--token-file", str(path))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{path}: {said}")
    assert alone("--up", "--exit", NOBODY, "--token-file", str(tmp_path)).code == 1
    if content is not None:
        with path.open("rb") as file:
            command = module("lokinet_node.vpn", "--up", "--exit", NOBODY, "--token-file", "-")
            ended = subprocess.run(command, stdin=file, capture_output=True, check=False)
        assert ended.stderr.decode().startswith(f"standard input: {said}")


# --- with a node


def test_an_exit_goes_up_and_down(bench: Bench) -> None:
    name = str(bench.open.remote)
    up, status, down, nothing = bench.each(
        ("--up", "--exit", name), ("--status",), ("--down",), ("--status",)
    )
    assert (up.code, up.stdout, up.stderr) == (0, "OK\n", "")
    assert (status.code, status.stdout) == (0, f"::/0 via {name}\n")
    assert (down.code, down.stdout) == (0, "OK\n")
    assert (nothing.code, nothing.stdout) == (0, "no exits\n")
    assert bench.mapped() == {}


def test_ranges_names_and_null(bench: Bench) -> None:
    name = str(bench.open.remote)
    done = bench.each(
        ("--add", "--exit", "EXIT.loki", "--range", TEST_NET),
        ("--add", "--exit", "null", "--range", "203.0.113.128/25"),
        ("--add", "--exit", name, "--range", "2001:db8::/32"),
        ("--remove", "--range", "203.0.113.128/25"),
    )
    assert [(one.code, one.stderr) for one in done] == [(0, "")] * 4
    assert bench.mapped() == {TEST_NET: name, "2001:db8::/32": name}


def test_several_exits_of_one_range_are_a_line_each(bench: Bench) -> None:
    one, other = str(bench.open.remote), str(bench.closed.remote)
    *_, text, data = bench.each(
        ("--up", "--exit", one),
        ("--up", "--exit", other, "--token", "sesame"),
        ("--status",),
        ("--status", "--json"),
    )
    assert text.stdout.splitlines() == [f"::/0 via {one}", f"::/0 via {other}"]
    assert json.loads(data.stdout) == {"::/0": [one, other]}


def test_json_is_one_value(bench: Bench) -> None:
    up, empty = bench.each(
        ("--up", "--exit", str(bench.open.remote), "--range", TEST_NET, "--json"),
        ("--down", "--json"),
    )
    assert [json.loads(one.stdout) for one in (up, empty)] == ["OK", "OK"]
    assert json.loads(bench.vpn("--status", "--json").stdout) == {}


def test_swap_puts_the_new_exit_where_the_old_one_was(bench: Bench) -> None:
    old, new = str(bench.open.remote), str(bench.closed.remote)
    up, refused, swapped, again = bench.each(
        ("--up", "--exit", old, "--range", TEST_NET),
        ("--swap", old, new),
        ("--swap", "exit.loki", new, "--auth", "sesame"),
        ("--swap", old, new),
    )
    assert up.code == 0
    assert (refused.code, refused.stderr) == (1, "a token is required\n")
    assert (swapped.code, swapped.stdout) == (0, "OK\n")
    assert (again.code, again.stderr) == (1, f"exit not mapped: {old}\n")
    assert bench.mapped() == {TEST_NET: new}


def test_an_exit_that_refuses_is_not_mapped_and_its_reason_is_printed(bench: Bench) -> None:
    name = str(bench.closed.remote)
    bare, wrong, right = bench.each(
        ("--up", "--exit", name),
        ("--up", "--exit", name, "--token", "guess"),
        ("--up", "--exit", name, "--token", "sesame"),
    )
    assert (bare.code, bare.stdout, bare.stderr) == (1, "", "a token is required\n")
    assert (wrong.code, wrong.stdout, wrong.stderr) == (1, "", "access not permitted\n")
    assert right.code == 0
    assert bench.mapped() == {"::/0": name}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--exit", NOBODY), f"exit not found: {NOBODY}"),
        (("--exit", "nobody.loki"), "exit not found: nobody.loki"),
        (("--exit", "y" * 52 + ".snode"), "exit via snode not supported"),
        (("--exit", "example.com"), "invalid exit address 'example.com'"),
        (("--exit", NOBODY, "--range", "203.0.113.0/33"), "invalid ip range: 203.0.113.0/33"),
        (("--exit", NOBODY, "--token", "x" * 200), "token: not 1 to 128 printable bytes"),
        (("--exit", NOBODY, "--endpoint", "other"), "no such local endpoint: 'other'"),
    ],
)
def test_what_cannot_be_used_is_said_and_changes_nothing(
    still: Bench, arguments: tuple[str, ...], said: str
) -> None:
    done = still.vpn("--up", *arguments)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert still.mapped() == {}


def test_a_service_and_the_node_itself_are_no_exits(still: Bench) -> None:
    service, own = still.each(
        ("--up", "--exit", str(still.web.remote)), ("--up", "--exit", str(still.alice.remote))
    )
    assert (service.code, service.stderr) == (1, "it is not an exit\n")
    assert (own.code, own.stderr) == (1, f"{still.alice.remote} is this node itself\n")


def test_an_exit_that_does_not_answer_is_no_flow(bench: Bench) -> None:
    bench.open.kill()
    done = bench.vpn("--up", "--exit", str(bench.open.remote))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == f"could not establish flow to {bench.open.remote}\n"


def test_a_client_without_paths_says_so(bench: Bench) -> None:
    for router in bench.world.routers:
        router.kill()
    bench.world.run(90)
    done = bench.vpn("--up", "--exit", str(bench.open.remote))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == f"did not build path to {bench.open.remote}\n"


def test_a_token_in_a_file_lets_in_like_one_on_the_command_line(
    bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    closed = str(bench.closed.remote)
    path.write_bytes(b"guess\r\n")
    assert bench.vpn("--up", "--exit", closed, "--token-file", str(path)).code == 1
    path.write_bytes(b"sesame\n")
    done = bench.vpn("--up", "--exit", closed, "--token-file", str(path), "-v")
    assert (done.code, done.stdout) == (0, "OK\n")
    assert "sesame" not in done.stderr
    assert bench.mapped() == {"::/0": closed}


def test_verbose_shows_the_question_without_the_token(still: Bench) -> None:
    for flags in (("-v",), ("--log-level", "debug")):
        done = still.vpn("--up", "--exit", "bad", "--token", "s3cret", *flags)
        assert done.code == 1
        assert 'llarp.map_exit {"endpoint": "default", "token": "..."' in done.stderr
        assert '"error": "invalid exit address' in done.stderr
        assert "s3cret" not in done.stderr


def test_kill_ends_the_node(bench: Bench) -> None:
    for flag in ("-k", "--kill"):
        done = bench.vpn(flag)
        assert (done.code, done.stdout) == (0, "OK\n")
    assert bench.node.stopped == 2


def test_routers_have_no_exits(tmp_path: Path) -> None:
    world = World(seed=1, routers=1)
    node = ServedNode(tmp_path, world, world.routers[0])
    (done,) = node.run(module("lokinet_node.vpn", "--status", "--rpc", node.path))
    assert (done.code, done.stderr) == (1, "not supported\n")
