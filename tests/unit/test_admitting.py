"""Tokens of callers, from the gate to files and services and back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lokinet_node import admitting
from lokinet_node.admitting import UNDECIDED, Admitting
from lokinet_node.base.addresses import Endpoint
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND
from lokinet_node.drivers.log import Log
from lokinet_node.exits.auth import TOO_OFTEN, TokenCheck, Verdict
from lokinet_node.exits.backend import Backend
from lokinet_node.exits.quota import Ledger
from lokinet_node.exits.share import Quota, Quotas
from lokinet_node.node.config import Config, Role, Source, Surroundings, parse_config
from lokinet_node.node.config_auth import AuthConfig
from lokinet_node.session.addresses import remote_loki
from lokinet_node.session.auth_messages import AuthCode
from lokinet_node.testing.builders import World
from tests.unit.exits.test_token_file import HASHES

NO_QUOTAS = Quotas()
ALICE = LokiAddress(bytes(31) + b"\1")


def configured(
    auth: AuthConfig, quotas: Quotas = NO_QUOTAS, data_dir: Path | None = None
) -> Config:
    around = Surroundings("/", str(data_dir or "/nowhere"), lambda _: True)
    return replace(
        parse_config([Source("lokinet.ini", "")], Role.CLIENT, around), auth=auth, quotas=quotas
    )


def decide(
    config: AuthConfig,
    *tokens: str,
    between: Callable[[], object] = lambda: None,
    said: Path | None = None,
) -> list[Verdict]:
    """What becomes of attempts made one after another."""
    web = World(seed=1, routers=1).client("web")
    verdicts: list[Verdict] = []
    web.role.token_checked = (  # type: ignore[method-assign]
        lambda check, verdict, now: verdicts.append(verdict)
    )

    async def scenario() -> None:
        one = Admitting(
            configured(config),
            web.role,
            bytes,
            lambda: 5,
            Log("info", None if said is None else str(said)),
        )
        decided = asyncio.Event()
        one.after = decided.set
        for token in tokens:
            decided.clear()
            one.take(TokenCheck(ALICE, token, 1))
            await decided.wait()
            between()
        await one.close()

    asyncio.run(scenario())
    return verdicts


def test_a_file_is_read_anew_for_each_attempt(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("sesame # the first\n")
    config = AuthConfig(is_guarded=True, backend=Backend.FILE, files=(str(path),))
    answers = decide(
        config, "voucher", "voucher", between=lambda: path.write_text("sesame\nvoucher\n")
    )
    assert answers == [
        Verdict(AuthCode.REJECT, "access not permitted"),
        Verdict(AuthCode.OKAY, account="voucher"),
    ]


def test_any_of_several_files_of_hashes_lets_in(tmp_path: Path) -> None:
    for name in ("md5", "sha512"):
        (tmp_path / name).write_text(HASHES[name] + "\n")
    files = (str(tmp_path / "md5"), str(tmp_path / "sha512"))
    config = AuthConfig(is_guarded=True, backend=Backend.FILE, files=files, is_hashed=True)
    good, bad = decide(config, "open sesame", HASHES["md5"])
    assert (good.code, good.account in HASHES.values()) == (AuthCode.OKAY, True)
    assert bad.code is AuthCode.REJECT


def test_a_file_that_is_gone_lets_nobody_in_and_the_log_says_why(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    config = AuthConfig(is_guarded=True, backend=Backend.FILE, files=(str(path),))
    said = tmp_path / "log"
    assert decide(config, "a-secret", said=said) == [Verdict(AuthCode.FAILED, UNDECIDED)]
    assert str(path) in said.read_text()
    assert "a-secret" not in said.read_text()


def test_whatever_goes_wrong_is_an_answer_and_tells_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(entries: list[str], token: str) -> str:
        raise ZeroDivisionError(token)

    monkeypatch.setattr(admitting, "find_token", fail)
    path, said = tmp_path / "tokens", tmp_path / "log"
    path.write_text("sesame")
    config = AuthConfig(is_guarded=True, backend=Backend.FILE, files=(str(path),))
    assert decide(config, "a-secret", said=said) == [Verdict(AuthCode.FAILED, UNDECIDED)]
    assert "ZeroDivisionError" in said.read_text()
    assert "a-secret" not in said.read_text()


def test_a_service_is_told_who_asks_whom() -> None:
    heard: list[dict[str, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = int(head.lower().partition("content-length:")[2].split()[0])
        heard.append(json.loads(await reader.readexactly(size)))
        body = b'{"result":"PAYME","reason":"10 coins"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async def scenario() -> Verdict:
        web = World(seed=1, routers=1).client("web")
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            endpoint = Endpoint(*server.sockets[0].getsockname())
            config = AuthConfig(is_guarded=True, backend=Backend.HTTP, service=(endpoint, "/"))
            one = Admitting(configured(config), web.role, bytes, lambda: 5, Log("none"))
            decided: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
            web.role.token_checked = (  # type: ignore[method-assign]
                lambda check, verdict, now: decided.set_result(verdict)
            )
            one.take(TokenCheck(ALICE, "voucher", 1))
            found = await decided
            await one.close()
            assert heard == [
                {
                    "address": str(remote_loki(ALICE)),
                    "token": "voucher",
                    "service": str(web.remote),
                }
            ]
            return found

    assert asyncio.run(scenario()) == Verdict(AuthCode.PAYME, "10 coins", "voucher")


def test_more_attempts_than_can_wait_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(admitting, "MOST_PENDING", 0)
    config = AuthConfig(is_guarded=True, backend=Backend.FILE, files=(str(tmp_path),))
    assert decide(config, "sesame") == [Verdict(AuthCode.LIMITED, TOO_OFTEN)]


def service(tmp_path: Path, clock: int = 5) -> tuple[Admitting, Ledger]:
    """One run of a service with quotas."""
    web = World(seed=1, routers=1).client("web")
    quotas = Quotas(Quota(size=1000), Quota(time=60 * SECOND))
    config = configured(AuthConfig(), quotas, tmp_path)
    one = Admitting(config, web.role, lambda size: b"k" * size, lambda: clock, Log("none"))
    assert web.role.gate.ledger is not None
    return one, web.role.gate.ledger


def test_what_was_used_is_known_after_a_restart(tmp_path: Path) -> None:
    first, ledger = service(tmp_path)
    ledger.open(ALICE, "voucher", 5).take(1, 700, 5)

    async def run() -> None:
        first.start()
        await first.close()

    asyncio.run(run())
    kept = (tmp_path / "quotas.json").read_text()
    assert "voucher" not in kept
    _, again = service(tmp_path)
    tab = again.open(ALICE, "voucher", 5)
    assert [account.size for account in tab.accounts] == [700, 700]
    tab.take(1, 300, 5)
    assert tab.spent() == "your quota of 1000 bytes is used up"


def test_what_is_used_is_written_while_the_node_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, ledger = service(tmp_path)
    ledger.open(ALICE, "", 5).take(1, 700, 5)

    async def run() -> bytes:
        written: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(admitting, "SAVE_PAUSE_S", 0.01)
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(
            admitting,
            "write_file",
            lambda path, data: loop.call_soon_threadsafe(written.set_result, data),
        )
        one.start()
        async with asyncio.timeout(10):
            found = await written
        await one.close()
        return found

    assert b"700" in asyncio.run(run())


def test_what_nobody_used_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, ledger = service(tmp_path)
    ledger.open(ALICE, "", 5).take(1, 700, 5)
    threads: list[int] = []

    async def run() -> None:
        written = asyncio.Event()
        loop = asyncio.get_running_loop()

        def write(path: str, data: bytes) -> None:
            threads.append(threading.get_ident())
            loop.call_soon_threadsafe(written.set)

        monkeypatch.setattr(admitting, "SAVE_PAUSE_S", 0.01)
        monkeypatch.setattr(admitting, "write_file", write)
        one.start()
        async with asyncio.timeout(10):
            await written.wait()
        await one.close()

    asyncio.run(run())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident(), "the loop goes on meanwhile"


def test_who_lets_tokens_leave_the_machine_in_clear_is_told(tmp_path: Path) -> None:
    for ip, is_told in (("127.0.0.1", False), ("127.8.8.8", False), ("192.0.2.1", True)):
        said = tmp_path / ip
        config = AuthConfig(
            is_guarded=True, backend=Backend.HTTP, service=(Endpoint(ip, 80), "/allow")
        )

        async def run(config: AuthConfig = config, said: Path = said) -> None:
            web = World(seed=1, routers=1).client("web")
            log = Log("info", str(said))
            one = Admitting(configured(config), web.role, bytes, lambda: 5, log)
            one.start()
            await one.close()

        asyncio.run(run())
        assert ("auth.in-clear" in said.read_text()) is is_told


def test_a_record_of_use_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "quotas.json").write_text('{"key": "00", "clients": {"x.loki": [1, 2]}}')
    with pytest.raises(OperatorError, match=r"quotas\.json: .*remove it to begin all quotas anew"):
        service(tmp_path)
