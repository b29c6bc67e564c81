"""Preconditions: a change that holds only for the version that the client has seen (contract, 1.1)."""

from owed.core.outcomes import Code, Refused

IfMatch = frozenset[str] | None
"""The versions that a client names in `If-Match`; None where it names none. `*` stands for any."""


def stale(if_match: IfMatch, version: int) -> Refused | None:
    """Refuse where the version that stands is none of those that the client names."""
    if if_match is None or "*" in if_match or str(version) in if_match:
        return None
    return Refused(
        Code.PRECONDITION_FAILED,
        f'The object has changed: its ETag is now "{version}". Retrieve it, and send the change again.',
    )
