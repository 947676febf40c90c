"""The check `http`: a page, fetched by the machine's own curl, which knows nothing of Lokinet."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.backends import ExecResult
from orchestrator.checklist import HttpCheck
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.units import format_rate, format_seconds

__all__ = ["check_http"]

TRY_S = 10.0
DIGEST_S = 120.0
"""How long one try may take where the check says nothing: of a page, of something large."""
SLACK_S = 5.0
MOST_BYTES = 64 << 20
"""Of a page: it is read into memory."""
USUAL_PORT = {"http": 80, "https": 443, "http2": 443}
VERSION = {"http": "--http1.1", "https": "--http1.1", "http2": "--http2"}
SPOKEN = {"http": "1", "https": "1", "http2": "2"}
"""What curl's word for it begins with: it says `1` of HTTP/1.0, which small servers answer in."""
FIGURES = "%{stderr}\n%{http_code} %{time_total} %{http_version} %{size_download} %{exitcode}\n"
"""On the other output than the page. What newer curls say of their own end counts in a pipe."""
TOLD = re.compile(r"^(\d{3}) ([\d.]+) (\S+) (\d+) (\d*)$", re.MULTILINE)
TRUSTING = 'pem=$(curl -fsS -g -m "$1" -- "$2") || exit; shift 2; printf "%s\\n" "$pem" | "$@"'
"""$1: seconds, $2: where the certificate is, then curl's command line."""
DIGESTED = '"$@" | sha256sum'
"""The bytes of what is large stay in the node."""


@dataclass(frozen=True, slots=True)
class Told:
    """What curl measured."""

    status: int
    seconds: float
    version: str
    size: int


def check_http(network: Network, check: HttpCheck) -> Verdict:
    """Fetch it: its code, its text or its digest, its time."""
    usual = USUAL_PORT[check.over]
    first_port = network.port(check.to)
    port = check.port or (first_port if check.over == "http" else usual)
    host = network.host(check.to)
    scheme = "http" if check.over == "http" else "https"
    url = f"{scheme}://{_where(host, port, usual)}{check.path}"
    expected = _expected(url, check)
    limit = check.at_most or (DIGEST_S if check.sha256 else TRY_S)
    argv = ["curl", "-sS", "-g", VERSION[check.over], "-m", f"{limit:.3f}", "-w", FIGURES]
    if not check.sha256:
        argv += ["--max-filesize", str(MOST_BYTES)]
    if check.over != "http":
        argv += ["--cacert", "/proc/self/fd/0"]  # small root file systems have no /dev/stdin
    argv += ["--", url]
    if check.over != "http":
        vouching = f"http://{_where(host, first_port, 80)}/certificate.pem"
        argv = ["sh", "-c", TRUSTING, "sh", f"{limit:.3f}", vouching, *argv]
    if check.sha256:
        argv = ["sh", "-c", DIGESTED, "sh", *argv]
    fetches = 1 if check.over == "http" else 2
    result = network.run(check.from_, argv, fetches * limit + SLACK_S)
    told = _told(result)
    if told is None:
        return failed(expected, _complaint(result))
    return _judged(check, expected, told, result.out)


def _where(host: str, port: int, usual: int) -> str:
    return host if port == usual else f"{host}:{port}"


def _told(result: ExecResult) -> Told | None:
    """None if curl did not get it."""
    found = TOLD.search(result.err)
    if result.code != 0 or found is None or found[5] not in ("", "0"):
        return None
    return Told(int(found[1]), float(found[2]), found[3], int(found[4]))


def _complaint(result: ExecResult) -> str:
    words = TOLD.sub("", result.err).strip()
    return words or f"curl ended with {result.code}"


def _judged(check: HttpCheck, expected: str, told: Told, out: str) -> Verdict:
    rate = told.size * 8 / told.seconds if told.seconds else 0.0
    figures = {"seconds": told.seconds}
    seen = str(told.status) if check.over == "http" else f"{told.status} over HTTP/{told.version}"
    if check.sha256:
        figures["bits_per_second"] = rate
        digest = out.split()[0]
        seen += f", {told.size} bytes in {format_seconds(told.seconds)} ({format_rate(rate)})"
        is_right, shown = digest == check.sha256, f"with sha256 {digest}"
    else:
        seen += f", {len(out)} characters in {format_seconds(told.seconds)}"
        is_right, shown = not check.contains or check.contains in out, out
    is_late = check.at_most is not None and told.seconds > check.at_most
    is_asked = told.version.startswith(SPOKEN[check.over])
    if told.status != check.status or not is_right or is_late or not is_asked:
        return failed(expected, f"{seen}: {shown}", exhibits=None, **figures)
    return held(expected, seen, exhibits=None, **figures)


def _expected(url: str, check: HttpCheck) -> str:
    text = f"{check.status} from {url}"
    if check.over == "http2":
        text += " over HTTP/2"
    if check.contains:
        text += f" with {check.contains!r} in it"
    if check.sha256:
        text += f" with sha256 {check.sha256}"
    if check.at_most:
        text += f" within {format_seconds(check.at_most)}"
    return text
