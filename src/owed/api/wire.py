"""HTTP as bytes: heads, and bodies whose length is not known when they begin (RFC 9112)."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

import httptools

from owed.api.messages import Response

WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses whose answers end with their head (RFC 9110, section 6.4.1)."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def whole(response: Response, further: Iterable[tuple[bytes, bytes]], request_id: str, *, is_last: bool) -> bytes:
    """Write the head of a response whose body is there, and has a length.

    Args:
        further: Headers that the server adds to each.
        is_last: Whether the connection ends with it.
    """
    length = "" if response.status in WITHOUT_BODY else f"content-length: {len(response.body)}\r\n"
    return head(response, length, further, request_id, is_last=is_last)


def head(
    response: Response, framing: str, further: Iterable[tuple[bytes, bytes]], request_id: str, *, is_last: bool
) -> bytes:
    """Write the head of a response.

    Args:
        framing: The header that tells where the body ends.
    """
    lines = [f"{name}: {value}\r\n" for name, value in response.headers.items()]
    if is_last:
        lines.append("connection: close\r\n")
    text = f"{STATUS_LINES[response.status]}{''.join(lines)}{framing}request-id: {request_id}\r\n".encode("latin-1")
    return b"%b%b\r\n" % (text, b"".join(b"%b: %b\r\n" % header for header in further))


def chunk(piece: bytes) -> bytes:
    """Write a piece of a body whose length is not known; an empty one would end it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


class Framing(NamedTuple):
    """How a body is written whose length is not known when it begins.

    Attributes:
        header: Tells of it.
        framed: Writes a piece.
        end: Comes after the last.
    """

    header: str
    framed: Callable[[bytes], bytes]
    end: bytes


CHUNKED = Framing("transfer-encoding: chunked\r\n", chunk, b"0\r\n\r\n")
TO_THE_END = Framing("", bytes, b"")
"""For clients of HTTP/1.0: the body ends with the connection."""


def origin_form(url: bytes) -> bytes:
    """Give path and query of a URL that names its host too, as a client of a proxy sends it (RFC 9112, 3.2.2)."""
    parsed = httptools.parse_url(url)
    return (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
