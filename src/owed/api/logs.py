"""Logs: one line a request, as JSON or as text, never with a key or personal data.

A path may hold a customer's reference and a query an e-mail address, so a line names the route and not the path. Lines
are gathered and written together several times a second: a write for each would cost more than the request.
"""

import asyncio
import logging
import os
import sys
import time
from typing import Any

import msgspec

from owed.api.messages import Request

WRITE_EVERY = 0.1
"""Seconds between two writes."""

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


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
        if lines:
            os.write(sys.stdout.fileno(), b"\n".join(lines) + b"\n")


class JsonFormatter(logging.Formatter):
    """Writes the other log records as JSON too, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, Any] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure(kind: str) -> None:
    """Send the records of this process to standard error, in the chosen form."""
    handler = logging.StreamHandler()
    if kind == "json":
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING if kind == "off" else logging.INFO, handlers=[handler], force=True)
