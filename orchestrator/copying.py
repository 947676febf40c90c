"""Copying files as a stream: packed at one end, unpacked at the other, either may be in a node.

`python -m orchestrator.copying pack SOURCE` writes to standard output, `unpack TARGET` reads from
standard input; both are run inside a node by `testnet cp`. Rules: a stream is not trusted, whoever
made it: the standard library's `data` filter refuses absolute names, names and links that lead out
of the target, and devices, and takes owners and special bits away. Exit code 1 and one line on
standard error when it cannot be done.
"""

from __future__ import annotations

import posixpath
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

if not TYPE_CHECKING and not hasattr(tarfile, "data_filter"):
    from backports import tarfile  # Python before 3.11.4, Debian 12's among them

__all__ = ["CopyError", "pack", "tar_argv", "unpack"]

PACK = """cd -- "$1" && exec tar --owner=0 --group=0 --format=pax -cf - -- "$2"
"""
UNPACK = """
if [ -d "$1" ]; then exec tar --no-same-owner --no-same-permissions -xf - -C "$1"; fi
[ -d "$2" ] || { echo "$2: no such directory" >&2; exit 1; }
folder=$(mktemp -d -- "$2/.cp-XXXXXX") || exit 1
trap 'rm -rf -- "$folder"' EXIT
tar --no-same-owner --no-same-permissions -xf - -C "$folder" || exit 1
came=$(ls -A -- "$folder")
[ -n "$came" ] || { echo "$1: nothing came" >&2; exit 1; }
mv -fT -- "$folder/$came" "$1"
"""
"""To a folder, or under a new name beside what is there."""


class CopyError(Exception):
    """Cannot be read, written or trusted; the text says what."""


def pack(source: Path, stream: IO[bytes]) -> None:
    """Write a file, or a folder with all in it, under its own last name; raises CopyError."""
    try:
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            archive.add(source, arcname=source.absolute().name or "root", filter=_anonymous)
    except (OSError, tarfile.TarError) as error:
        raise CopyError(_text(source, error)) from error


def unpack(stream: IO[bytes], target: Path) -> None:
    """Put what was packed into the folder `target`, or in its place if there is no such folder.

    Raises CopyError; what was unpacked before stays.
    """
    folder, new_name = (target, None) if target.is_dir() else (target.parent, target.name)
    if not folder.is_dir():
        raise CopyError(f"{folder}: no such directory")
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            count = 0
            for member in archive:
                named = member if new_name is None else _under(member, new_name)
                archive.extract(named, folder, filter="data")
                count += 1
    except (OSError, tarfile.TarError) as error:
        raise CopyError(_text(target, error)) from error
    if not count:
        raise CopyError(f"{target}: nothing came")


def tar_argv(verb: Literal["pack", "unpack"], path: str) -> list[str]:
    """An end where there is no Python, by tar and a shell.

    What it unpacks cannot leave that place: it runs in a container, whose files are thrown away.
    """
    place = Path(posixpath.normpath(path))
    if verb == "pack":
        return ["sh", "-c", PACK, "sh", str(place.parent), place.name or "."]
    return ["sh", "-c", UNPACK, "sh", str(place), str(place.parent)]


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who owned it here means nothing there."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _under(member: tarfile.TarInfo, new: str) -> tarfile.TarInfo:
    """With another first name; a hard link names its other end in the same way."""
    link = _renamed(member.linkname, new) if member.islnk() else member.linkname
    return member.replace(name=_renamed(member.name, new), linkname=link)


def _renamed(name: str, new: str) -> str:
    first, slash, rest = name.partition("/")
    return f"{new}{slash}{rest}" if first not in ("", "..") else name


def _text(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or path}: {error.strerror}"
    return f"{path}: {error}"


def main(argv: list[str]) -> int:
    """`pack SOURCE` or `unpack TARGET`."""
    ends: dict[str, Callable[[Path], None]] = {
        "pack": lambda path: pack(path, sys.stdout.buffer),
        "unpack": lambda path: unpack(sys.stdin.buffer, path),
    }
    try:
        ends[argv[0]](Path(argv[1]))
    except CopyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
