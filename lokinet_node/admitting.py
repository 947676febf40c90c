"""Tokens of callers, wired: what the doorman cannot decide is looked up in files or asked for.

Files are read anew for each attempt and hashed in one worker thread, which starts with the first
attempt; a service is asked on the event loop. Whatever goes wrong lets nobody in, is told to the
caller without details and logged with them. Tokens are in no log.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from lokinet_node.base.errors import NameSyntaxError, OperatorError, WireError
from lokinet_node.base.names import format_loki
from lokinet_node.drivers.crypt3 import check_crypt, crypt
from lokinet_node.drivers.files import read_file, write_file
from lokinet_node.exits.auth import NOT_PERMITTED, TOO_OFTEN, Doorman, TokenCheck, Verdict
from lokinet_node.exits.backend import Backend
from lokinet_node.exits.quota import STORED_LIMIT, Ledger
from lokinet_node.exits.token_file import find_hash, find_token, lines
from lokinet_node.session.auth_messages import AuthCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.units import Micros
    from lokinet_node.drivers.log import Log
    from lokinet_node.exits.share import Quotas
    from lokinet_node.node.client import ClientRole
    from lokinet_node.node.config import Config

MOST_PENDING: Final = 64
"""Attempts under way; one more is told to come back later."""
FILE_LIMIT: Final = 1 << 20
"""Bytes of a file of tokens."""
USED_FILE: Final = "quotas.json"
"""In data-dir: what was used of quotas."""
SAVE_PAUSE_S: Final = 5.0
"""So much of what was used may be lost by kill -9."""
UNDECIDED: Final = "the service could not decide, try again later"


class Admitting:
    """What stands between a client's gate and its backend."""

    def __init__(
        self,
        config: Config,
        role: ClientRole,
        entropy: Entropy,
        clock: Callable[[], Micros],
        log: Log,
    ) -> None:
        """Sets a doorman at the gate.

        OperatorError: hashes and a system without crypt(3), or what was used cannot be read.
        """
        auth = config.auth
        if auth.backend is Backend.FILE and auth.is_hashed:
            check_crypt()
        self.after: Callable[[], object] = lambda: None
        """Called when a decision made the node act."""
        self._config = auth
        self._role = role
        self._clock = clock
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._used_file = f"{config.data_dir}/{USED_FILE}"
        self._ledger: Ledger | None = None
        self._saving = threading.Lock()
        if config.quotas:
            self._ledger = _read_ledger(self._used_file, config.quotas, entropy)
        role.gate.keep(
            Doorman(
                whitelist=auth.whitelist,
                tokens=auth.tokens,
                backend=auth.backend,
                is_open=not auth.is_guarded,
                ledger=self._ledger,
                entropy=entropy,
            )
        )

    def start(self) -> None:
        """Begin to write down what is used; there must be a running loop."""
        service = self._config.service
        if service is not None and not ipaddress.ip_address(service[0].ip).is_loopback:
            self._log.warn("auth.in-clear", service=str(service[0]), fix="ask over the loopback")
        if self._ledger is not None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    def take(self, effect: object) -> None:
        """Decide if that is what the node wants; there must be a running loop."""
        if not isinstance(effect, TokenCheck):
            return
        # Called while packets are served inside the selector: the loop must be woken for it.
        asyncio.get_running_loop().call_soon_threadsafe(lambda: self._run(self._decide(effect)))

    async def close(self) -> None:
        """Decide nothing any more."""
        tasks = [*self._tasks, *([] if self._writer is None else [self._writer])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._save()
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(SAVE_PAUSE_S)
            if self._ledger is not None and self._ledger.is_dirty:
                await asyncio.to_thread(self._save)

    def _save(self) -> None:
        """Write down what was used since it was written last; one thread at a time."""
        ledger = self._ledger
        if ledger is None:
            return
        with self._saving:
            if not ledger.is_dirty:
                return
            ledger.is_dirty = False
            try:
                write_file(self._used_file, ledger.dump())
            except OperatorError as error:
                ledger.is_dirty = True
                self._log.warn("quota.unsaved", reason=str(error))

    async def _decide(self, check: TokenCheck) -> None:
        if len(self._tasks) > MOST_PENDING:
            verdict = Verdict(AuthCode.LIMITED, TOO_OFTEN)
        else:
            verdict = await self._asked(check)
        self._role.token_checked(check, verdict, self._clock())
        self.after()

    async def _asked(self, check: TokenCheck) -> Verdict:
        """An answer in any case: without one the caller could never ask again."""
        try:
            return await self._ask(check)
        except (OSError, OperatorError, WireError) as error:
            reason = str(error) or type(error).__name__
        except Exception as error:  # its text may hold anything, the token too
            reason = type(error).__name__
        self._log.warn("auth.undecided", reason=reason)
        return Verdict(AuthCode.FAILED, UNDECIDED)

    async def _ask(self, check: TokenCheck) -> Verdict:
        if self._config.service is not None:
            from lokinet_node.drivers.access_service import ask_service  # here: HTTP costs memory

            question = {
                "address": format_loki(check.remote),
                "token": check.token,
                "service": format_loki(self._role.address),
            }
            return Verdict(*await ask_service(*self._config.service, question), check.token)
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, "tokens")
        loop = asyncio.get_running_loop()
        entry = await loop.run_in_executor(self._worker, self._find, check.token)
        if entry is None:
            return Verdict(AuthCode.REJECT, NOT_PERMITTED)
        return Verdict(AuthCode.OKAY, account=entry)

    def _find(self, token: str) -> str | None:
        """The entry for a token; in the worker thread; OperatorError for a file without text."""
        entries: list[str] = []
        for path in self._config.files:
            entries += lines(read_file(path, FILE_LIMIT).decode(errors="replace"))
        if self._config.is_hashed:
            return find_hash(entries, token, crypt)
        return find_token(entries, token)


def _read_ledger(path: str, quotas: Quotas, entropy: Entropy) -> Ledger:
    """With what was used in earlier runs; OperatorError where that cannot be told."""
    stored = read_file(path, STORED_LIMIT) if os.path.exists(path) else None
    try:
        return Ledger(quotas, entropy, stored)
    except NameSyntaxError as error:
        hint = "remove it to begin all quotas anew"
        raise OperatorError(f"{path}: {error}; {hint}") from error
