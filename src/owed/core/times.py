"""Times: which may be given."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import UNSET, UnsetType

from owed.core.outcomes import Fault


def future_faults(pointer: str, moment: datetime | UnsetType, now: datetime) -> Iterator[Fault]:
    """Yield the fault of a time that has not come yet."""
    if moment is not UNSET and moment > now:
        yield Fault(pointer, f"This lies in the future; here it is {now:%Y-%m-%dT%H:%M:%SZ}.")
