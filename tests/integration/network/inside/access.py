"""Inside a node: an access service that says what a file holds.

Usage: access.py PORT ANSWER ASKED; each POST is answered with the text of the file ANSWER, its
body becomes a line of the file ASKED.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

port, answer, asked = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        question = self.rfile.read(int(self.headers["Content-Length"]))
        with asked.open("ab") as file:
            file.write(question + b"\n")
        said = answer.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Standard error is for what goes wrong."""


with HTTPServer(("127.0.0.1", port), Handler) as server:
    print("ready", flush=True)
    server.serve_forever()
