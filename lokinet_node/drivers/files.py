"""Files: read whole and with a limit, written whole or not at all.

Rules: only regular files are read, and only up to a limit; everything written is mode 0600,
complete on disk before it gets its name, and replaces an older file only where asked to.
Every failure is an OperatorError that names the file.
"""

from __future__ import annotations

import contextlib
import os
import stat

from lokinet_node.base.errors import OperatorError

MAX_CONFIG_SIZE = 1 << 20
MAX_CONTACTS_SIZE = 16 << 20

CONF_D = "conf.d"
"""Directory beside an ini file, for more of them."""

_PRIVATE = 0o600


def read_file(path: str, limit: int) -> bytes:
    """A regular file of at most `limit` bytes."""
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OperatorError(f"{path}: not a regular file")
    with open(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OperatorError(f"{path}: longer than {limit} bytes")
    return data


def read_config(path: str) -> list[tuple[str, str]]:
    """(path, text) of an ini file and then of every `conf.d/*.ini` beside it, by name."""
    beside = os.path.join(os.path.dirname(path), CONF_D)
    try:
        names = sorted(name for name in os.listdir(beside) if name.endswith(".ini"))
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise OperatorError(f"{beside}: cannot be read: {error.strerror}") from error
    extra = [os.path.join(beside, name) for name in names]
    return [(file, _read_text(file)) for file in (path, *extra)]


def write_file(path: str, data: bytes) -> None:
    """Put `data` under a name, replacing what had it."""
    temporary = _write_temporary(path, data)
    try:
        os.replace(temporary, path)
        _sync_directory(path)
    except OSError as error:
        _forget(temporary)
        raise _unwritable(path, error) from error


def write_new_file(path: str, data: bytes) -> bool:
    """Put `data` under a name nobody has; False, and nothing changed, where it is taken."""
    temporary = _write_temporary(path, data)
    try:
        os.link(temporary, path)
        _sync_directory(path)
    except FileExistsError:
        return False
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        _forget(temporary)
    return True


def remove_file(path: str) -> None:
    """Take a name away."""
    try:
        os.unlink(path)
        _sync_directory(path)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be removed: {error.strerror}") from error


def make_directory(path: str) -> None:
    """A directory of mode 0700, with its parents; one that exists is left as it is."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be made: {error.strerror}") from error


def _read_text(path: str) -> str:
    data = read_file(path, MAX_CONFIG_SIZE)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"{path}:{line}: not UTF-8 text") from error


def _write_temporary(path: str, data: bytes) -> str:
    """A complete file beside `path`, under a name no other writer picks."""
    temporary = f"{path}.{os.urandom(6).hex()}.new"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(temporary, flags, _PRIVATE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _forget(temporary)
        raise _unwritable(path, error) from error
    return temporary


def _sync_directory(path: str) -> None:
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _unwritable(path: str, error: OSError) -> OperatorError:
    return OperatorError(f"{path}: cannot be written: {error.strerror}")
