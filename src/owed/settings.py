"""Every setting, from the environment: `OWED_PORT` and so on. The command line's flags stand above it."""

import os
import typing
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from msgspec import Meta

PREFIX = "OWED_"

Network = IPv4Network | IPv6Network
Seconds = Annotated[float, Meta(ge=0, le=604_800)]


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
    deliveries: bool = True
    """Whether `owed serve` runs a delivery worker of its own."""
    webhook_allow: tuple[Network, ...] = ()
    """Networks that webhooks may reach though they are not public, as CIDRs with commas between them."""
    webhook_ca_bundle: Path | None = None
    """A file of certificates to trust in place of the system's."""
    webhook_timeout: Annotated[float, Meta(ge=0.1, le=60)] = 15
    """Seconds that a receiver has to answer, from the look-up of its name to the last byte."""
    webhook_retries: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=30)] = (
        5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
    )  # fmt: skip
    """Seconds from each failed attempt to the next, with commas between them."""
    webhook_order_seconds: Seconds = 3_600
    """Seconds that an event which fails holds back the later events of its object."""
    keep_events_days: Annotated[int, Meta(ge=1, le=36_500)] = 90
    """Days after which an event is forgotten, and with it what of it was not delivered."""
    keep_attempts_days: Annotated[int, Meta(ge=1, le=36_500)] = 30
    """Days after which an attempt to deliver an event is forgotten."""

    @property
    def is_heard_here_alone(self) -> bool:
        """Tell whether a service with these settings hears nobody but this machine, be it through a proxy."""
        if self.public_url:
            return False
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"

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
    if kind in (Path, Path | None):
        return Path(text).expanduser()
    if kind == tuple[Network, ...]:
        return tuple(_network(name, part) for part in _parts(text))
    value: object = _parts(text) if _is_list(kind) else text
    try:
        value = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        reason = str(error).replace(", got `str`", "")
        raise SettingsError(f"{name} is {text!r}: {_lowered(reason)}") from error
    return value


def _is_list(kind: object) -> bool:
    bare = typing.get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    return typing.get_origin(bare) is tuple


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _network(name: str, text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise SettingsError(f"{name} holds {text!r}: this must be a network such as 10.0.0.0/8 or fd00::/8") from error


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
