"""The log of requests: one line each, as JSON or as text, never with a key or personal data.

A path may hold a customer's reference and a query an e-mail address, so a line names the route and not the path. Lines
are gathered and written together several times a second: a write for each would cost more than the request.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterable, Iterator
from select import PIPE_BUF

import msgspec

from owed.api.messages import Request

WRITE_EVERY = 0.1
"""Seconds between two writes."""


class RequestLog:
    """Gathers a line for each request, and writes them in batches."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lines: list[bytes] = []
        self._write_is_due = False

    def note(self, request: Request, status: int, taken: float) -> None:
        """Note what became of a request."""
        if self._kind == "off":
            return
        line = {
            "time": time.time(),
            "request_id": request.id,
            "method": request.method,
            "route": request.route,
            "status": status,
            "milliseconds": round(taken * 1000, 2),
        }
        if self._kind == "json":
            self._lines.append(msgspec.json.encode(line))
        else:
            self._lines.append(" ".join(f"{name}={value}" for name, value in line.items()).encode())
        if not self._write_is_due:
            self._write_is_due = True
            asyncio.get_running_loop().call_later(WRITE_EVERY, self.write)

    def write(self) -> None:
        """Write the lines that were gathered."""
        self._write_is_due = False
        lines, self._lines = self._lines, []
        for piece in pieces(lines):
            os.write(sys.stdout.fileno(), piece)


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that a pipe takes whole, so that no other worker's lines come in between."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) >= PIPE_BUF:
            yield piece
            piece = b""
        piece += line + b"\n"
    if piece:
        yield piece
