"""One attempt to deliver an event: sent, signed, to an address that was checked, and what came of it."""

import asyncio
import email.utils
import errno
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
from yarl import URL

from owed import __version__
from owed.model.access import Mode
from owed.model.delivery import Attempt
from owed.settings import SettingsError
from owed.webhooks.addresses import Policy
from owed.webhooks.connector import Connector, Trip, current_trip
from owed.webhooks.resolver import AddressRefused, LookUp, look_up
from owed.webhooks.signing import signed_headers
from owed.webhooks.urls import UnusableUrl, host_of

logger = logging.getLogger("owed.webhooks")

MOST_READ: Final = 16 * 1024
MOST_KEPT: Final = 2 * 1024
LONGEST_ERROR: Final = 500
MODES: Final[tuple[Mode, ...]] = ("test", "live")
HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"Owed-Webhooks/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # nothing is unpacked
}
REDIRECTS: Final = (301, 302, 303, 307, 308)
RESETS: Final = (errno.ECONNRESET, errno.EPIPE)
NO_LIMITS: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class Message(NamedTuple):
    """An event on its way to one endpoint."""

    url: str
    event_id: str
    body: bytes
    secrets: tuple[str, ...]
    mode: Mode


class Sender:
    """Sends messages, each once, over connections that it keeps for a moment."""

    def __init__(self, policy: Policy, timeout: float, ca_bundle: Path | None, look_up: LookUp = look_up) -> None:
        """Make a sender; within the event loop that it sends from.

        Args:
            policy: Where it may send to.
            timeout: Seconds that an attempt may take, from the look-up of the name to the last byte.
            ca_bundle: Certificates to trust in place of the system's.
            look_up: Gives the addresses of a name.

        Raises:
            SettingsError: The certificates cannot be read.
        """
        self._timeout = timeout
        context = trusting(ca_bundle)
        context.set_alpn_protocols(["http/1.1"])
        self._sessions = {mode: _session(Connector(policy, mode, look_up, context)) for mode in MODES}

    async def send(self, message: Message) -> Attempt:
        """Send a message once. Whatever goes wrong is told by the attempt."""
        attempted_at, start = datetime.now(UTC), time.perf_counter()
        trip = Trip()
        current_trip.set(trip)
        error = _printable(await self._error_of(message, attempted_at, trip))
        duration_ms = round((time.perf_counter() - start) * 1000)
        return Attempt(attempted_at, duration_ms, trip.address, trip.status, trip.answer, error, trip.retry_after)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()

    async def _error_of(self, message: Message, at: datetime, trip: Trip) -> str | None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(message, at, trip)
        except TimeoutError:
            return f"timed out after {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001  (nothing that a receiver does may end the worker)
            return "answer goes on without end" if trip.is_endless else _reason(error)
        return "redirects are not followed" if trip.status in REDIRECTS else None

    async def _exchange(self, message: Message, at: datetime, trip: Trip) -> None:
        url = _url(message.url, message.mode)
        headers = signed_headers(message.event_id, at, message.body, message.secrets)
        session = self._sessions[message.mode]
        async with session.post(url, data=message.body, headers=headers, allow_redirects=False) as response:
            trip.status = response.status
            if response.status in (429, 503):
                trip.retry_after = _retry_after(response.headers.get("Retry-After", ""), at)
            await _read(response, trip)


def trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    """Trust the certificates in a file, or those of the system where there is none.

    Raises:
        SettingsError: It cannot be read, or holds something else.
    """
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"OWED_WEBHOOK_CA_BUNDLE is {str(ca_bundle)!r}: {reason}") from error


def _session(connector: Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        headers=HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=NO_LIMITS,
        auto_decompress=False,
        trust_env=False,
        read_bufsize=MOST_READ,
    )


@lru_cache(maxsize=4096)
def _url(text: str, mode: Mode) -> URL:
    """Read a URL that was fine at registration, by today's rules."""
    host_of(text, mode)
    return URL(text, encoded=True)


async def _read(response: aiohttp.ClientResponse, trip: Trip) -> None:
    """Keep the beginning of an answer, and hang up on one that goes on and on."""
    size, trip.answer = 0, b""
    while chunk := await response.content.readany():
        trip.answer += chunk[: MOST_KEPT - len(trip.answer)]
        size += len(chunk)
        if size > MOST_READ:
            response.close()
            break


def _retry_after(text: str, now: datetime) -> float | None:
    """Read how long to wait: in seconds, or until a date (RFC 9110, section 10.2.3)."""
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
        return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)
    except (ValueError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    """Say in a few words why a message did not get through."""
    cause = (error.__cause__ if isinstance(error, aiohttp.ClientConnectorError) else None) or error
    return next(say(cause) for kind, say in _REASONS if isinstance(cause, kind))


def _printable(text: str | None) -> str | None:
    """Make what may hold anything of a receiver's one short line that can be stored."""
    return text and "".join(each if each.isprintable() else "?" for each in text[:LONGEST_ERROR])


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    return f"TLS certificate not trusted: {error.verify_message.rstrip('.')}"


def _tls_fault(error: ssl.SSLError) -> str:
    return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _surprise(error: Exception) -> str:
    logger.warning("a webhook could not be sent, for a reason that was not foreseen", exc_info=error)
    return f"not sent: {error!r}"


def _system_fault(error: OSError) -> str:
    if error.errno in RESETS or isinstance(error, ConnectionResetError):
        return "connection reset"
    return os.strerror(error.errno).lower() if error.errno else str(error)


_REASONS: Final[tuple[tuple[type[Exception], Callable[[Any], str]], ...]] = (
    (AddressRefused, "address refused: {}".format),
    (UnusableUrl, "URL refused: {}".format),
    (socket.gaierror, lambda _: "name does not resolve"),
    (ssl.SSLCertVerificationError, _certificate_fault),
    (ssl.SSLError, _tls_fault),
    (aiohttp.ServerDisconnectedError, lambda _: "connection closed without an answer"),
    (aiohttp.ClientPayloadError, lambda _: "connection closed in the middle of the answer"),
    (aiohttp.ClientResponseError, lambda _: "answer is not HTTP"),
    (OSError, _system_fault),
    (Exception, _surprise),
)
"""What to say of each kind of failure; the first that holds."""
