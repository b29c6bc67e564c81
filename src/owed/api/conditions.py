"""Conditional requests: `If-None-Match` and `If-Match` (contract, 1.1; RFC 9110, section 13)."""

import re
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache

from owed.api.fields import Faults
from owed.core.preconditions import IfMatch

TAGS = re.compile(r'(W/)?"([^"]*)"')


def etag(version: int) -> str:
    """Give the strong ETag of a version."""
    return f'"{version}"'


def is_unmodified(if_none_match: str | None, tag: str) -> bool:
    """Tell whether a client has this version already. The weak comparison is used, as the standard says."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or any(f'"{value}"' == tag for _, value in TAGS.findall(if_none_match))


def if_match(header: str | None, faults: Faults) -> IfMatch:
    """Give the versions that an `If-Match` names. A weak tag names none: the strong comparison is used."""
    if header is None:
        return None
    if header.strip() == "*":
        return frozenset({"*"})
    found = TAGS.findall(header)
    if not found:
        faults.note("header: If-Match", 'This must be * or one or more ETags, such as "3", in quotes.')
        return None
    return frozenset(value for weak, value in found if not weak) - {"*"}


def last_modified(moment: datetime) -> str:
    """Give a time as HTTP writes it."""
    return http_date(int(moment.timestamp()))


@lru_cache(maxsize=10_000)
def http_date(seconds: int) -> str:
    """Write a Unix time as HTTP does."""
    return formatdate(seconds, usegmt=True)
