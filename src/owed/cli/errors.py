"""How a command says no."""

from collections.abc import Iterable

from owed.core.outcomes import Fault
from owed.settings import SettingsError


class Refused(Exception):
    """A command cannot do what it was asked, in one line for whoever asked."""


def wrong(faults: Iterable[Fault]) -> SettingsError:
    """Make the error of options that have values which they cannot have, each with what would be right, in one line.

    Args:
        faults: With the option, such as `--due-before`, for the pointer.
    """
    return SettingsError("; ".join(f"{fault.pointer}: {lowered(fault.detail)}" for fault in faults))


def lowered(detail: str) -> str:
    """Write a sentence of the API as a part of a line."""
    return f"{detail[:1].lower()}{detail[1:].removesuffix('.')}"
