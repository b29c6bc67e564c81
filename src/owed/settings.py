"""Every setting, from the environment: `OWED_PORT` and so on. The command line's flags stand above it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from msgspec import Meta

PREFIX = "OWED_"


class SettingsError(ValueError):
    """A setting has a value that it cannot have; in one line."""


def _default_data_dir() -> Path:
    """Return the user's data directory; root's is the system's, which PostgreSQL's account can enter."""
    return Path("/var/lib/owed") if os.geteuid() == 0 else platformdirs.user_data_path("owed")


class Settings(msgspec.Struct, frozen=True):
    """What an operator can decide. Each field is the variable of its name in capitals, after `OWED_`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    workers: Annotated[int, Meta(ge=1, le=1024)] = 1
    data_dir: Path = msgspec.field(default_factory=_default_data_dir)
    database_url: str | None = None
    pool_size: Annotated[int, Meta(ge=10, le=1000)] = 10
    """Connections of one worker: two batches, two look-ups, five commands that somebody else holds up, and one more."""
    rate_limit: Annotated[float, Meta(ge=0, le=1_000_000)] = 0
    """Requests per second and key; 0 means no limit."""
    public_url: Annotated[str, Meta(pattern=r"^https?://[^\s?#]*[^\s?#/]$")] | None = None
    """Where clients reach us, without a slash at the end; where none is given, as each of them says, over http."""
    log: Literal["json", "text", "off"] = "json"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; an empty variable counts as none, and one that we do not know is not ours.

        Raises:
            SettingsError: A value cannot be used.
        """
        given: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            name = PREFIX + field.name.upper()
            if text := environment.get(name):
                given[field.name] = _read(name, text, field.type)
        return cls(**given)


def _read(name: str, text: str, kind: object) -> object:
    if kind is Path:
        return Path(text).expanduser()
    try:
        value: object = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        reason = str(error).replace(", got `str`", "")
        raise SettingsError(f"{name} is {text!r}: {_lowered(reason)}") from error
    return value


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
