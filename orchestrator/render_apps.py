"""What applications become: a configuration where there is one, and a command line.

They know nothing of Lokinet, and write nowhere but in folders of their own.
"""

from __future__ import annotations

import html

from orchestrator.applications import CommandApp, NginxApp
from orchestrator.ops import ProcessSpec

__all__ = ["SHARED", "UMASK", "command_process", "nginx_files", "nginx_process"]

UMASK = 0o022
"""Of applications: everybody's usual one."""
SHARED = "/run/testnet"
"""Inside a node's namespace: directories its unprivileged applications may read."""


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


def command_process(app: CommandApp, log: str) -> ProcessSpec:
    """As it was written."""
    return ProcessSpec("command", tuple(app.run), log, port=app.port, umask=UMASK)
