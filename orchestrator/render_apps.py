"""What applications become: files where they read some, and a command line; nginx by itself.

They know nothing of Lokinet, and write nowhere but in folders of their own.
"""

from __future__ import annotations

from orchestrator.applications import CommandApp, MumbleApp
from orchestrator.ops import ProcessSpec

__all__ = ["SHARED", "UMASK", "command_process", "mumble_files", "mumble_process"]

UMASK = 0o022
"""Of applications: everybody's usual one."""
SHARED = "/run/testnet"
"""Inside a node's namespace: directories its unprivileged applications may read."""
MUMBLE_BITS_PER_SECOND = 130_000
"""For each who speaks, overhead included. murmurd drops voice above it without a word: this is more
than clients send at their best quality."""


def mumble_files(app: MumbleApp, node: str, one_id: bool) -> dict[str, str]:
    """What differs from mumble-server's own defaults, and a folder for its database.

    The database holds the certificate it makes itself when it first starts.
    """
    here = f"{SHARED}/mumble"
    config = (
        f"database={here}/data/mumble-server.sqlite\n"
        "logfile=\n"  # its output
        f"port={app.port}\n"
        "host=0.0.0.0\n"  # a tun has no IPv6
        f"welcometext={node}\n"
        "bonjour=false\n"
        "allowping=true\n"
        "autobanAttempts=0\n"  # whoever connects often is tried out, no attacker
        "kdfiterations=16000\n"  # its own default; measuring one takes it a second
        f"bandwidth={MUMBLE_BITS_PER_SECOND}\n"
    )
    if one_id:  # there is nobody else to become
        config += "uname=root\n"
    return {"mumble/mumble-server.ini": config, "mumble/data/.keep": ""}


def mumble_process(app: MumbleApp, log: str) -> ProcessSpec:
    """Stock murmurd in the foreground; what it tells goes to its standard error."""
    return ProcessSpec(
        name="mumble",
        argv=("murmurd", "-fg", "-ini", f"{SHARED}/mumble/mumble-server.ini"),
        log=log,
        port=app.port,
        files=("mumble",),
        writes=("mumble/data",),
        umask=UMASK,
    )


def command_process(app: CommandApp, log: str) -> ProcessSpec:
    """As it was written."""
    return ProcessSpec("command", tuple(app.run), log, port=app.port, umask=UMASK)
