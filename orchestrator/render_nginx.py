"""What an nginx becomes: its configuration, its page, and what is made for it to serve.

It writes nowhere but in its own folder, and knows nothing of Lokinet. Where it answers WebSockets,
a program beside it does that, on a Unix socket in the same folder.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import orchestrator
from orchestrator.applications import NginxApp
from orchestrator.content import Certificate, Content, Film, NoiseFile
from orchestrator.ops import ProcessSpec
from orchestrator.render_apps import SHARED, UMASK

__all__ = ["NginxParts", "nginx_parts"]

HERE = f"{SHARED}/nginx"
ECHO_SOCKET = f"{HERE}/tmp/echo.sock"
ECHO_PROGRAM = "websocket_echo"
PAGE = "page.html"
SYSTEM_PYTHON = "/usr/bin/python3"
"""Whose library for WebSockets is the distribution's."""
BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class NginxParts:
    """Of a node with an nginx."""

    files: Mapping[str, str]
    shared: tuple[tuple[str, str], ...]
    processes: tuple[ProcessSpec, ...]


def nginx_parts(
    app: NginxApp,
    node: str,
    directory: Path,
    one_id: bool,
    names: Iterable[str] = (),
    identity: str = "",
) -> NginxParts:
    """Files and programs.

    Args:
        app: as written.
        node: whose it is.
        directory: the node's.
        one_id: only one user id is mapped.
        names: by which it is asked; its certificate is for them.
        identity: key file of the service, whose address the certificate is for as well.
    """
    files = {
        "nginx/nginx.conf": _configuration(app, one_id),
        "nginx/www/index.html": _page(app, node),
        "nginx/tmp/.keep": "",
    }
    processes = []
    if app.websocket:  # first, so that it is there when nginx answers
        files[f"nginx/{ECHO_PROGRAM}"] = _echo_program()
        processes.append(_echo(directory))
    # `-e` keeps it off its compiled-in log file from the start.
    argv = ("nginx", "-e", "stderr", "-c", f"{HERE}/nginx.conf")
    nginx = ProcessSpec(
        "nginx",
        argv,
        str(directory / "nginx.log"),
        port=app.port,
        fetch="/",
        files=("nginx/nginx.conf", "nginx/www", "nginx/tmp"),
        umask=UMASK,
        content=tuple(_content(app, names, identity)),
    )
    return NginxParts(files, (("nginx", "nginx"),), (*processes, nginx))


def _content(app: NginxApp, names: Iterable[str], identity: str) -> Iterable[Content]:
    if app.tls is not None:
        public = "nginx/www/certificate.pem"
        yield Certificate("nginx/tls", public, tuple(sorted(names)), identity)
    if app.file is not None:
        yield NoiseFile("nginx/www/file.bin", app.file)
    if app.video is not None:
        yield Film("nginx/www/video", app.video)


def _echo(directory: Path) -> ProcessSpec:
    return ProcessSpec(
        "websocket",
        (SYSTEM_PYTHON, "-I", f"{HERE}/{ECHO_PROGRAM}", ECHO_SOCKET),
        str(directory / "websocket.log"),
        files=(f"nginx/{ECHO_PROGRAM}", "nginx/tmp"),
        umask=UMASK,
    )


def _echo_program() -> str:
    """For the distribution's Python, so no module of ours."""
    return _of_site(ECHO_PROGRAM)


def _of_site(name: str) -> str:
    return (Path(orchestrator.__file__).with_name("site") / name).read_text("utf-8")


def _configuration(app: NginxApp, one_id: bool) -> str:
    temporary = "".join(
        f"    {kind}_temp_path {HERE}/tmp/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Where one id is mapped there is nobody else to become: workers stay what the master is.
    user = "root" if one_id else "www-data"
    return (
        f"user {user};\ndaemon off;\nworker_processes 1;\n"
        f"pid {HERE}/nginx.pid;\nerror_log stderr;\n"
        "events { worker_connections 256; }\n"
        "http {\n"
        "    include /etc/nginx/mime.types;\n"
        f"    access_log {HERE}/access.log;\n"
        f"{temporary}"
        "    sendfile on;\n"
        f"{_limit(app)}"
        "    server {\n"
        f"        listen {app.port};\n"
        f"{_tls(app)}"
        f"        root {HERE}/www;\n"
        f"{_websocket(app)}"
        "    }\n"
        "}\n"
    )


def _limit(app: NginxApp) -> str:
    return "" if app.rate is None else f"    limit_rate {int(app.rate) // BITS_PER_BYTE};\n"


def _tls(app: NginxApp) -> str:
    if app.tls is None:
        return ""
    return (
        f"        listen {app.tls} ssl http2;\n"
        f"        ssl_certificate {HERE}/tls/certificate.pem;\n"
        f"        ssl_certificate_key {HERE}/tls/key.pem;\n"
    )


def _websocket(app: NginxApp) -> str:
    """The two headers are what makes nginx pass a WebSocket on; an idle one stays an hour."""
    if not app.websocket:
        return ""
    return (
        "        location = /echo {\n"
        f"            proxy_pass http://unix:{ECHO_SOCKET};\n"
        "            proxy_http_version 1.1;\n"
        "            proxy_set_header Upgrade $http_upgrade;\n"
        "            proxy_set_header Connection upgrade;\n"
        "            proxy_read_timeout 1h;\n"
        "        }\n"
    )


def _page(app: NginxApp, node: str) -> str:
    if app.page is not None:
        return app.page
    title = html.escape(node)
    offers = {
        "file": app.file is not None,
        "video": app.video is not None,
        "websocket": app.websocket,
    }
    if any(offers.values()):  # it shows what there is
        return Template(_of_site(PAGE)).substitute(title=title, offers=json.dumps(offers))
    return f"<!doctype html>\n<title>{title}</title>\n<h1>It works: {title}</h1>\n"
