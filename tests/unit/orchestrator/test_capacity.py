"""What `doctor` says of machines that lack something: the verdict, what is done, the command."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from orchestrator import doctor
from orchestrator.capacity import Demand, Supply, capacities, neighbour_warning
from orchestrator.cli.arguments import parse
from orchestrator.findings import Finding, Machine, Verdict, degraded, fatal, ok

GOOD = {
    "proc/sys/kernel/osrelease": "6.18.0-amd64\n",
    "proc/sys/user/max_user_namespaces": "96000\n",
    "proc/sys/net/core/rmem_max": "4194304\n",
    "proc/sys/net/core/wmem_max": "4194304\n",
    "proc/sys/net/ipv4/neigh/default/gc_thresh2": "512\n",
    "proc/sys/net/ipv4/neigh/default/gc_thresh3": "1024\n",
    "proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   4096000 kB\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
}
SMALL = Demand(routers=8, ends=3)
LATER = 4e9


def machine_at(root: Path, changed: dict[str, str | None]) -> Machine:
    """A good machine but for some files."""
    for name, text in {**GOOD, **changed}.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return Machine(root)


def finding(
    subject: str,
    tmp_path: Path,
    changed: dict[str, str | None] | None = None,
    demand: Demand = SMALL,
    **has: object,
) -> Finding:
    """What is found about one subject on a good machine but for some files and numbers."""
    given = {"descriptors": 20_000, "user": 0, "now": LATER, "engine": "/nowhere", **has}
    machine = machine_at(tmp_path, changed or {})
    supply = Supply(machine=machine, **given)  # type: ignore[arg-type]
    return next(each for each in capacities(demand, supply) if each.subject == subject)


def test_a_good_machine_has_nothing_to_mend(tmp_path: Path) -> None:
    finding("kernel", tmp_path)
    supply = Supply(Machine(tmp_path), descriptors=20_000, user=0, now=LATER, engine="/nowhere")
    found = [each for each in capacities(SMALL, supply) if each.subject != "user ids"]
    assert [each.verdict for each in found] == [Verdict.OK] * 9
    assert not any(each.fix or each.instead for each in found)


@pytest.mark.parametrize(
    ("subject", "changed", "verdict", "says"),
    [
        ("kernel", {"proc/sys/kernel/osrelease": "5.2.21"}, "fatal", "Linux 5.3 or newer"),
        ("kernel", {"proc/sys/kernel/osrelease": "5.15.0-1"}, "degraded", "packet by packet"),
        ("kernel", {"proc/sys/kernel/osrelease": None}, "fatal", "Linux 5.3"),
        ("user namespaces", {"proc/sys/user/max_user_namespaces": "0"}, "fatal", "`sysctl -w user"),
        ("user namespaces", {"proc/sys/user/max_user_namespaces": None}, "fatal", "CONFIG_USER_NS"),
        (
            "socket buffers",
            {"proc/sys/net/core/rmem_max": "212992"},
            "degraded",
            "rmem_max=4194304",
        ),
        ("memory", {"proc/meminfo": "MemAvailable: 100000 kB"}, "degraded", "will swap"),
        ("memory", {"proc/meminfo": ""}, "degraded", "143 MiB will be taken"),
        (
            "clock",
            {"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet"},
            "degraded",
            "echo tsc",
        ),
    ],
)
def test_what_is_missing_has_its_verdict_and_way_out(
    subject: str, changed: dict[str, str | None], verdict: str, says: str, tmp_path: Path
) -> None:
    found = finding(subject, tmp_path, changed)
    assert found.verdict == verdict
    assert says in f"{found.instead} {found.fix}"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("unprivileged_userns_clone", "0"), ("apparmor_restrict_unprivileged_userns", "1")],
)
def test_a_setting_that_keeps_plain_users_out_does_not_concern_root(
    setting: str, value: str, tmp_path: Path
) -> None:
    changed: dict[str, str | None] = {f"proc/sys/kernel/{setting}": value}
    assert finding("user namespaces", tmp_path, changed).verdict == "ok"
    plain = finding("user namespaces", tmp_path, changed, user=1000)
    assert plain.verdict == "fatal"
    assert f"`sysctl -w kernel.{setting}={1 - int(value)}`" in plain.fix


def test_the_neighbour_table_is_measured_by_the_square_of_the_routers(tmp_path: Path) -> None:
    fits = finding("neighbour table", tmp_path, demand=Demand(20, 2))
    tight = finding("neighbour table", tmp_path, demand=Demand(30, 2))
    full = finding("neighbour table", tmp_path, demand=Demand(50, 2))
    assert [each.verdict for each in (fits, tight, full)] == ["ok", "degraded", "degraded"]
    assert "asked for again" in tight.instead
    assert "dropped" in full.instead
    assert "gc_thresh3=8192" in full.fix
    assert "may need 2514" in full.seen


def test_before_a_network_is_made_only_a_table_too_small_is_worth_a_word(tmp_path: Path) -> None:
    machine = machine_at(tmp_path, {})
    assert neighbour_warning(Demand(30, 2), machine) is None
    warning = neighbour_warning(Demand(50, 2), machine)
    assert warning is not None
    assert "1024 entries for all namespaces, 50 routers and 2 others may need 2514" in warning
    assert "`sysctl -w net.ipv4.neigh.default.gc_thresh1=1024 " in warning
    hidden = machine_at(
        tmp_path / "container", {"proc/sys/net/ipv4/neigh/default/gc_thresh3": None}
    )
    assert neighbour_warning(Demand(50, 2), hidden) is None


def test_a_neighbour_table_that_was_full_says_so(tmp_path: Path) -> None:
    names = "entries  allocs   unresolved_discards table_fulls\n"
    counts: dict[str, str | None]
    counts = {"proc/net/stat/arp_cache": f"{names}00000063 7989 0 00000010\n00000063 1 0 2\n"}
    assert "it was full 18 times" in finding("neighbour table", tmp_path, counts).seen
    assert "full" not in finding("neighbour table", tmp_path / "calm").seen


def test_limits_a_container_does_not_show_are_no_reason_to_stop(tmp_path: Path) -> None:
    hidden: dict[str, str | None] = dict.fromkeys(GOOD)
    hidden["proc/sys/kernel/osrelease"] = "6.18.0"
    for subject in ("neighbour table", "socket buffers"):
        found = finding(subject, tmp_path, hidden)
        assert found.verdict == "degraded"
        assert "not shown in this container" in found.seen


def test_too_few_open_files_and_too_many_nodes_are_fatal(tmp_path: Path) -> None:
    few = finding("nofile", tmp_path, descriptors=100)
    assert (few.verdict, few.fix) == ("fatal", "as root: `ulimit -n 322`")
    assert finding("nofile", tmp_path, descriptors=-1).verdict == "ok"  # unlimited
    assert finding("bridge", tmp_path, demand=Demand(1000, 24)).verdict == "fatal"
    assert finding("bridge", tmp_path, demand=Demand(1000, 23)).verdict == "ok"


def test_a_clock_from_before_the_program_is_fatal(tmp_path: Path) -> None:
    found = finding("clock", tmp_path, now=0.0)
    assert (found.verdict, found.seen[:14]) == ("fatal", "it is 1970-01-")


def answering(path: str, reply: bytes) -> threading.Thread:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        client, _ = listener.accept()
        with client, listener:
            client.recv(4096)
            client.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("reply", "verdict", "seen"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n" + b'{"Version": "27.1"}', "ok", "Docker 27.1, not needed"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", "degraded", "does not answer"),
        (b"garbage\r\n\r\n", "degraded", "does not answer"),
    ],
)
def test_an_engine_is_told_and_never_needed(
    reply: bytes, verdict: str, seen: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "engine.sock")
    thread = answering(path, reply)
    found = finding("engine", tmp_path, engine=path)
    thread.join(timeout=10)
    assert found.verdict == verdict
    assert seen in found.seen


def test_a_world_is_tried_only_where_nothing_fatal_is_known() -> None:
    tried: list[str] = []

    def trial() -> list[Finding]:
        tried.append("world")
        return [ok("world", "made")]

    def diagnosed(descriptors: int) -> Finding:
        return doctor.diagnose(SMALL, [], Supply(descriptors=descriptors), trial)[-1]

    assert diagnosed(20_000).subject == "world"
    assert diagnosed(10).subject == "engine"
    assert tried == ["world"]


def test_doctor_ends_with_4_when_something_is_fatal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(found: list[Finding], *words: str) -> tuple[int, str]:
        monkeypatch.setattr("orchestrator.cli.doctor.diagnose", lambda *_: found)
        arguments = parse(["doctor", "minimal", *words])
        code = int(arguments.load()(arguments))
        return code, capsys.readouterr().out

    well = [ok("tun", "opens"), degraded("clock", "hpet", "slow", "`echo tsc`")]
    code, out = command(well)
    assert code == 0
    assert "clock    degraded  hpet\n                   so slow\n" in out
    code, out = command([*well, fatal("nofile", "3", "`ulimit`")], "--json")
    assert code == 4
    assert '"fit": false' in out
    assert '"fix": "`ulimit`"' in out
