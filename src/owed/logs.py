"""Logs: what any process of a service has to say, but for its requests, as JSON or as text on standard error."""

import logging
from typing import Any

import msgspec

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has, and uvicorn's messages a second time, for terminals."""


class JsonFormatter(logging.Formatter):
    """Writes log records as JSON, one a line."""

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
