"""What media type a client would have of those that there are (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence

from owed.api.messages import Request

QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", re.ASCII).fullmatch

BY_ACCEPT = {"vary": "Accept"}
"""The header of what comes in several media types."""


def preferred(request: Request, offered: Sequence[str]) -> str:
    """Give the media type that a request would have most; the first where it says nothing, or names none of them."""
    accept = request.header(b"accept")
    if accept is None:
        return offered[0]
    ranges = dict(map(media_range, accept.split(",")))
    return max(offered, key=lambda media_type: quality(ranges, media_type))  # of equals the first


def media_range(part: str) -> tuple[str, float]:
    """Read one part of the header: a range of media types, and how much it is wanted; 0 where that cannot be read."""
    name, *parameters = (each.strip().lower() for each in part.split(";"))
    found = [each.removeprefix("q=") for each in parameters if each.startswith("q=")]
    if not found:
        return name, 1.0
    return name, float(found[0]) if QUALITY(found[0]) else 0.0


def quality(ranges: dict[str, float], media_type: str) -> float:
    """Tell how much a media type is wanted: the narrowest range that it is in tells."""
    for each in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if each in ranges:
            return ranges[each]
    return 0.0
