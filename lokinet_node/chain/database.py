"""The chain's file: SQLite that is only ever added to, and synced before anything is acknowledged.

Rules: WAL with `synchronous=FULL`, so a finished transaction has been through fsync; one process at
a time (exclusive lock); triggers refuse every UPDATE and DELETE. A full disk undoes the transaction
and says DiskFull, and the chain goes on; after any other failure of a write nothing is known about
what the disk holds, and StoreFailed asks the program to end: opening again finds the last
acknowledged state.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from lokinet_node.base.errors import LokinetError, OperatorError

APPLICATION_ID = 0x6C6F6B69
"""`loki`: tells a chain's file from other SQLite files."""
SCHEMA_VERSION = 1

_TABLES = {
    "settings": "network TEXT NOT NULL",
    "blocks": """
        height INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        previous BLOB NOT NULL,
        timestamp INTEGER NOT NULL,
        transactions INTEGER NOT NULL""",
    "transactions": """
        number INTEGER PRIMARY KEY,
        txid BLOB NOT NULL UNIQUE,
        height INTEGER NOT NULL,
        payload TEXT NOT NULL""",
    "names": """
        number INTEGER PRIMARY KEY REFERENCES transactions,
        name_hash BLOB NOT NULL,
        encrypted_value BLOB NOT NULL,
        owner BLOB NOT NULL,
        backup_owner BLOB,
        expiration_height INTEGER NOT NULL""",
    "nodes": """
        number INTEGER PRIMARY KEY REFERENCES transactions,
        pubkey_ed25519 BLOB NOT NULL,
        service_node_pubkey BLOB NOT NULL,
        state TEXT NOT NULL,
        registration_height INTEGER NOT NULL,
        decommission_count INTEGER NOT NULL""",
}
_INDEXES = {
    "transactions_of_a_block": "transactions (height)",
    "records_of_a_name": "names (name_hash, number)",
    "states_of_a_node": "nodes (pubkey_ed25519, number)",
}


class DiskFull(LokinetError):
    """There was no room; the transaction is undone and nothing else happened."""


class StoreFailed(LokinetError):
    """A write failed in a way that leaves the state unknown until the file is opened again."""


class Database:
    """An open chain file; `close` gives it back."""

    def __init__(self, path: str) -> None:
        """Open the file, or make it; OperatorError says what stands against it."""
        self._path = path
        _create(path)
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            self._prepare()
        except (sqlite3.Error, DiskFull, StoreFailed) as error:
            self._connection.close()
            raise _unusable(path, error) from error
        except OperatorError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Give the file back; the log of changes is folded into it."""
        self._connection.close()

    def read(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a query; StoreFailed where the disk does not give them."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def add(self, table: str, *values: object) -> int:
        """One row into a table, inside `writing`; its number."""
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        return cursor.lastrowid or 0

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that is on the disk when the block ends, or did not happen."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                raise DiskFull(f"the disk is full ({self._path}): nothing was written") from error
            raise self._failure(error) from error
        except BaseException:
            self._undo()
            raise

    def _failure(self, error: sqlite3.Error) -> StoreFailed:
        return StoreFailed(f"{self._path}: {error} ({error.sqlite_errorname})")

    def _undo(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # some failures have undone it already
                self._connection.execute("ROLLBACK")

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA locking_mode=EXCLUSIVE")  # first, so that no memory is shared
        is_new = self._is_new()
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=FULL")
        if is_new:
            with self.writing():
                self._make_tables()

    def _is_new(self) -> bool:
        """Whether nothing is in the file yet; OperatorError for another program's file."""
        ((tables, application, version),) = self.read(
            "SELECT (SELECT count(*) FROM sqlite_schema), application_id, user_version "
            "FROM pragma_application_id, pragma_user_version"
        )
        if not tables and not application:
            return True
        if application != APPLICATION_ID:
            raise OperatorError(
                f"{self._path}: not a file of lokinet-oxend; name another directory"
            )
        if version != SCHEMA_VERSION:
            raise OperatorError(f"{self._path}: made by another version of lokinet-oxend")
        return False

    def _make_tables(self) -> None:
        execute = self._connection.execute
        execute(f"PRAGMA application_id={APPLICATION_ID}")
        execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        for table, columns in _TABLES.items():
            execute(f"CREATE TABLE {table} ({columns}) STRICT")
            for action in ("UPDATE", "DELETE"):
                execute(
                    f"CREATE TRIGGER {table}_no_{action} BEFORE {action} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the chain is only added to'); END"
                )
        for index, columns in _INDEXES.items():
            execute(f"CREATE INDEX {index} ON {columns}")


def _create(path: str) -> None:
    """Make sure that the file is there, mode 0600, and its name on the disk."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(path, flags, 0o600))
        directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be opened: {error.strerror}") from error


def _unusable(path: str, error: BaseException) -> OperatorError:
    if isinstance(error, DiskFull):
        return OperatorError(str(error))
    cause = error.__cause__ if isinstance(error, StoreFailed) else error
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        return OperatorError(f"{path}: another lokinet-oxend has it open")
    return OperatorError(f"{path}: not usable as a chain: {cause}")
