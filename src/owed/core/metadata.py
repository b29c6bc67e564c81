"""Metadata: a merchant's own keys and values on an object (contract, 1.7)."""

from collections.abc import Iterator, Mapping

from owed.core.outcomes import Fault

MAX_KEYS = 20


def merged(standing: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str]:
    """Merge what is given over what stands; a value of None removes its key."""
    both = {**standing, **given}
    return {key: value for key, value in both.items() if value is not None}


def metadata_faults(merged_metadata: Mapping[str, str]) -> Iterator[Fault]:
    """Yield the fault of too many keys, counted after the merge."""
    if len(merged_metadata) > MAX_KEYS:
        detail = f"There would be {len(merged_metadata)} keys; at most {MAX_KEYS} are allowed."
        yield Fault("/metadata", detail)
