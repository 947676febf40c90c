"""`exec` and `shell`: the caller's descriptors, the node's world, and no way out of it.

Faults that turn these red: an exec that copies output through the world (order and binary data), a
program in the caller's session (Ctrl-C hits it twice), a /run or resolv.conf of the host showing
through.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal

import pytest

from tests.integration.orchestrator.command import SETTINGS, Testnet, until

pytestmark = pytest.mark.integration


def test_exec_passes_input_output_errors_and_the_exit_code(small: Testnet) -> None:
    result = small.run("exec", "alice", "--", "sh", "-c", "cat; echo no >&2; exit 7", stdin="yes\n")
    assert (result.stdout, result.stderr, result.returncode) == ("yes\n", "no\n", 7)
    killed = small.run("exec", "alice", "--", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 128 + 9


def test_exec_of_nothing_nobody_and_nonsense_says_so(small: Testnet) -> None:
    nonsense = small.run("exec", "alice", "--", "no-such-program")
    assert nonsense.returncode == 127
    assert "no-such-program: No such file or directory" in nonsense.stderr
    nobody = small.run("exec", "nobody", "--", "true")
    assert nobody.returncode == 2
    assert "no node 'nobody': there are router-1, router-2, web, alice" in nobody.stderr
    assert small.run("exec", "alice").returncode == 2


def test_exec_starts_in_the_callers_directory_with_the_callers_umask(small: Testnet) -> None:
    result = small.run("exec", "alice", "--", "sh", "-c", "pwd; umask; echo made > made-inside")
    assert result.stdout.splitlines() == [str(small.root), f"{_umask():04o}"]
    assert (small.root / "made-inside").read_text() == "made\n"


def test_ctrl_c_ends_the_program_and_not_the_network(small: Testnet) -> None:
    script = "trap 'echo caught; exit 3' INT; echo ready; while :; do read -t 1 x; done"
    process = small.start("exec", "alice", "--", "bash", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert (out, process.returncode) == ("caught\n", 3)
    assert small.run("exec", "alice", "--", "true").returncode == 0


def test_a_program_whose_caller_dies_is_hung_up_on(small: Testnet) -> None:
    process = small.start("exec", "alice", "--", "sh", "-c", "echo $$; exec sleep 60")
    assert process.stdout is not None
    pid = process.stdout.readline().strip()
    process.kill()
    process.communicate(timeout=10)

    def is_gone() -> bool:
        return small.run("exec", "alice", "--", "test", "-e", f"/proc/{pid}").returncode == 1

    until("the program ended", is_gone)


def test_a_node_is_a_world_without_a_way_out(small: Testnet) -> None:
    seen = small.run("exec", "alice", "--", "hostname").stdout
    assert seen == "alice\n"
    routes = small.run("exec", "alice", "--", "ip", "-j", "route").stdout
    assert [route["dst"] for route in json.loads(routes)] == ["10.77.0.0/16"]
    resolver = small.run("exec", "alice", "--", "cat", "/etc/resolv.conf").stdout
    assert resolver == "nameserver 127.3.2.1\n"
    run = small.run("exec", "alice", "--", "ls", "/run").stdout.split()
    assert run == ["testnet"]
    links = small.run("exec", "alice", "--", "ls", "/sys/class/net").stdout.split()
    assert links == ["eth0", "lo"]
    beyond = small.run("exec", "alice", "--", "ping", "-c1", "-W1", "192.0.2.1")
    assert "Network is unreachable" in beyond.stderr
    neighbour = small.run("exec", "alice", "--", "ping", "-c1", "-W1", "10.77.4.1")
    assert neighbour.returncode == 0


def test_kernel_settings_are_the_nodes_own(small: Testnet) -> None:
    seen = small.run("exec", "alice", "--", "sysctl", "-n", "-e", *SETTINGS)  # -e: as on the host
    known = small.run("exec", "alice", "--", "sysctl", "-N", "-e", *SETTINGS).stdout.split()
    wanted = dict(zip(SETTINGS, ("0", "1", "13"), strict=True))
    assert seen.stdout.split() == [wanted[name] for name in known]
    assert set(SETTINGS[:2]) <= set(known), (
        "only the last is newer than the oldest kernel we run on"
    )


def test_nodes_do_not_share_run(small: Testnet) -> None:
    assert small.run("exec", "web", "--", "touch", "/run/of-web").returncode == 0
    assert "of-web" in small.run("exec", "web", "--", "ls", "/run").stdout
    assert "of-web" not in small.run("exec", "alice", "--", "ls", "/run").stdout
    assert small.run("exec", "web", "--", "rm", "/run/of-web").returncode == 0


def test_the_hosts_proxies_are_not_offered_inside(small: Testnet) -> None:
    wishes = ("env", "https_proxy=http://192.0.2.1:3128", "WISH=kept")
    seen = small.run("exec", "alice", "--", "env", prefix=wishes).stdout
    assert "WISH=kept" in seen
    assert "proxy" not in seen


def test_shell_gives_a_terminal_with_job_control(small: Testnet) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(small.root)
        argv = small.command("shell", "alice")
        os.execve(argv[0], argv, {**small.env, "SHELL": "/bin/bash", "PS1": "$ "})
    said = b""

    def read_until(text: bytes) -> None:
        nonlocal said
        while text not in said:
            assert select.select([terminal], [], [], 10)[0], f"no {text!r} in {said!r}"
            said += os.read(terminal, 4096)
        said = said.partition(text)[2]

    os.write(terminal, b"echo at-$HOSTNAME; sh -c 'tty; exec sleep 60'\n")
    read_until(b"at-alice")
    read_until(b"/dev/pts/")
    os.write(terminal, b"\x03")  # ends that program, not the shell
    os.write(terminal, b"echo still-$((40+2)); exit 5\n")
    read_until(b"still-42")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(terminal)


def test_nginx_runs_as_an_ordinary_user_where_ids_allow(small: Testnet) -> None:
    rows = small.run("exec", "web", "--", "ps", "-eo", "user:20,args").stdout.splitlines()
    workers = [row.split()[0] for row in rows if "nginx: worker" in row]
    assert workers == ["www-data"]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
