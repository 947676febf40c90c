"""What applications become: a configuration where there is one, and a command line.

They know nothing of Lokinet, and write nowhere but in folders of their own.
"""

from __future__ import annotations

import html

from orchestrator.applications import CommandApp, MumbleApp, NginxApp
from orchestrator.ops import ProcessSpec

__all__ = [
    "SHARED",
    "UMASK",
    "command_process",
    "mumble_files",
    "mumble_process",
    "nginx_files",
    "nginx_process",
]

UMASK = 0o022
"""Of applications: everybody's usual one."""
SHARED = "/run/testnet"
"""Inside a node's namespace: directories its unprivileged applications may read."""
MUMBLE_BITS_PER_SECOND = 130_000
"""For each who speaks, overhead included. murmurd drops voice above it without a word: this is more
than clients send at their best quality."""


def nginx_files(app: NginxApp, node: str, one_id: bool) -> dict[str, str]:
    """A configuration that writes nowhere but in its own directory, and the page."""
    here = f"{SHARED}/nginx"
    temporary = "".join(
        f"    {kind}_temp_path {here}/tmp/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Where one id is mapped there is nobody else to become: workers stay what the master is.
    user = "root" if one_id else "www-data"
    config = (
        f"user {user};\ndaemon off;\nworker_processes 1;\n"
        f"pid {here}/nginx.pid;\nerror_log stderr;\n"
        "events { worker_connections 256; }\n"
        "http {\n"
        "    include /etc/nginx/mime.types;\n"
        f"    access_log {here}/access.log;\n"
        f"{temporary}"
        "    sendfile on;\n"
        "    server {\n"
        f"        listen {app.port};\n"
        f"        root {here}/www;\n"
        "    }\n"
        "}\n"
    )
    page = app.page
    if page is None:
        title = html.escape(node)
        page = f"<!doctype html>\n<title>{title}</title>\n<h1>It works: {title}</h1>\n"
    return {"nginx/nginx.conf": config, "nginx/www/index.html": page, "nginx/tmp/.keep": ""}


def nginx_process(app: NginxApp, log: str) -> ProcessSpec:
    """Stock nginx; `-e` keeps it off its compiled-in log file from the start."""
    argv = ("nginx", "-e", "stderr", "-c", f"{SHARED}/nginx/nginx.conf")
    return ProcessSpec("nginx", argv, log, port=app.port, fetch="/", files=("nginx",), umask=UMASK)


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
