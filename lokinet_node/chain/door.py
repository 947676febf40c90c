"""One HTTP/1.1 connection as bytes in, requests out, bytes back: limits and manners, no socket.

    POST /json_rpc      a JSON-RPC call; always answered with 200, errors of the call included
    anything else       404 or 405 and a sentence

Bounds: 16 KiB of head, 64 KiB of body. What breaks them, or HTTP, is answered once with a status
of its own, and the connection ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import h11

from lokinet_node.chain.listeners import may_ask

MAX_HEAD = 16 << 10
MAX_BODY = 64 << 10
PATH = b"/json_rpc"

Answerer: TypeAlias = Callable[[bytes], bytes]
"""Body of a call -> body of its answer."""


class Door:
    """The server's side of one connection."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self.is_open = True
        """False once the connection should be closed, after what is owed has been sent."""

    def receive(self, data: bytes) -> bytes:
        """What to send back for what came; empty data says that the other end has finished."""
        try:
            self._http.receive_data(data)
            return self._turn()
        except h11.RemoteProtocolError as error:
            return self._refuse(error.error_status_hint, str(error))

    def _turn(self) -> bytes:
        """Answer every request that is complete."""
        out = b""
        while self.is_open:
            event = self._http.next_event()
            match event:
                case h11.Request():
                    self._request = event
                    if self._http.they_are_waiting_for_100_continue:
                        go_on = h11.InformationalResponse(status_code=100, headers=[])
                        out += self._http.send(go_on) or b""
                case h11.Data():
                    self._body += event.data
                    if len(self._body) > MAX_BODY:
                        return out + self._refuse(413, f"a call has at most {MAX_BODY} bytes")
                case h11.EndOfMessage():
                    out += self._reply()
                case h11.ConnectionClosed():
                    self.is_open = False
                case _:  # NEED_DATA, or PAUSED after a reply that ends the connection
                    return out
        return out

    def _reply(self) -> bytes:
        request, self._request = self._request, None
        assert request is not None
        body, self._body = bytes(self._body), bytearray()
        status, answer, kind = self._outcome(request, body)
        out = self._send(status, answer, kind, [])
        if self._http.our_state is h11.MUST_CLOSE:
            self.is_open = False
        else:
            self._http.start_next_cycle()
        return out

    def _outcome(self, request: h11.Request, body: bytes) -> tuple[int, bytes, bytes]:
        headers = dict(request.headers)
        if not may_ask(headers.get(b"host", b""), headers.get(b"origin")):
            return _told(403, "ask by address, and not from a web page")
        if request.target.partition(b"?")[0] != PATH:
            return _told(404, f"there is only {PATH.decode()}")
        if request.method != b"POST":
            return _told(405, "a call is sent with POST")
        return 200, self._answer(body), b"application/json"

    def _refuse(self, status: int, reason: str) -> bytes:
        """Answer what cannot be gone on from."""
        self.is_open = False
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return b""
        return self._send(*_told(status, reason), [(b"connection", b"close")])

    def _send(
        self, status: int, body: bytes, kind: bytes, more: list[tuple[bytes, bytes]]
    ) -> bytes:
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
        parts = (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        return b"".join(self._http.send(part) or b"" for part in parts)


def _told(status: int, sentence: str) -> tuple[int, bytes, bytes]:
    return status, sentence.encode() + b"\n", b"text/plain; charset=utf-8"
