"""Query parameters: read once for every route, each fault named (contract, 1.1)."""

import re
from collections.abc import Container
from datetime import datetime
from urllib.parse import parse_qsl

from owed.api.fields import Faults, is_timestamp
from owed.api.messages import Request
from owed.api.problems import Refusal
from owed.core.outcomes import invalid
from owed.model.identifiers import EPOCH

BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})").search


def place(name: str) -> str:
    """Name a parameter as a fault does."""
    return f"query: {name}"


def parameters(request: Request, faults: Faults) -> list[tuple[str, str]]:
    """List the parameters in their order; those that are not text in UTF-8 are noted and left out."""
    for pair in request.query.split(b"&") if b"%" in request.query else ():
        if BROKEN(pair):
            name = pair.partition(b"=")[0].decode("ascii", "replace")
            faults.note(place(name), "A % must be followed by two hexadecimal digits; write %25 for a % itself.")
    found = []
    for name, value in parse_qsl(request.query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"):
        if is_text(name + value):
            found.append((name, value))
        else:
            faults.note(place(name.encode(errors="replace").decode()), "This must be percent-encoded text in UTF-8.")
    return found


def is_text(value: str) -> bool:
    """Tell whether a value is text that can be stored: valid Unicode, with no U+0000."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def note_unknown(request: Request, faults: Faults, known: Container[str] = ()) -> dict[str, str]:
    """Note every parameter that a route does not know, and give the others by name."""
    return known_of(parameters(request, faults), known, faults) if request.query else {}


def known_of(given: list[tuple[str, str]], known: Container[str], faults: Faults) -> dict[str, str]:
    """Give the parameters that a route knows, by name; note those that it does not, and those that are given twice."""
    once = single(given, (), faults)
    for name in once:
        if name not in known:
            faults.note(place(name), "There is no such parameter here.")
    return {name: value for name, value in once.items() if name in known}


def refuse_any(request: Request) -> None:
    """Refuse a request to a route that has no parameters, where it has one.

    Raises:
        Refusal: It names every parameter.
    """
    faults = Faults()
    note_unknown(request, faults)
    refuse_faulty(faults)


def refuse_faulty(faults: Faults) -> None:
    """Refuse a request in which there are faults.

    Raises:
        Refusal: It names every fault.
    """
    if faults.found:
        raise Refusal(invalid(faults.found))


def single(given: list[tuple[str, str]], repeatable: Container[str], faults: Faults) -> dict[str, str]:
    """Give the parameters that may be given once, by name; note those that are given twice."""
    found: dict[str, str] = {}
    for name, value in given:
        if name in repeatable:
            continue
        if name in found:
            faults.note(place(name), "This is given twice; give it once.")
        found[name] = value
    return found


def timestamp(value: str, name: str, faults: Faults) -> datetime | None:
    """Read a timestamp that ends in Z; note it where it is none."""
    if is_timestamp(value):
        try:
            return max(datetime.fromisoformat(value), EPOCH)
        except ValueError:
            pass  # such as the 30th of February
    faults.note(place(name), "This must be a time in UTC that ends in Z, such as 2026-01-31T09:30:00Z.")
    return None
