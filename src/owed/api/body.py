"""Bodies: JSON, read strictly. What libraries let pass and a money API must not, is found here (contract, 1.1)."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

import msgspec

from owed.api.fields import LONGEST_POINTER, MOST_FAULTS, escaped
from owed.core.outcomes import Fault

DEEPEST = 16
MOST_BRACKETS = 10_000
"""Objects and lists in a body; the largest that can be right has a few."""

LONGEST_NUMBER = 100
"""Digits beyond which a number is not even read: no bound here is near it."""

DECODER = msgspec.json.Decoder(float_hook=float)
"""Python reads numbers with a fraction: the library takes 20 times as long for those at the ends of the range."""


class BadJson(Exception):
    """The body is not JSON that this API takes; `faults` say where and why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults


def decode(body: bytes) -> Any:
    """Decode a JSON body.

    Raises:
        BadJson: It is not UTF-8 or not JSON, holds U+0000 or a lone surrogate, nests deeper than 16, or names a member
            of one object twice.
    """
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MOST_BRACKETS:
        raise BadJson(Fault("", f"The body holds over {MOST_BRACKETS} objects and lists; nothing here needs so many."))
    if brackets > DEEPEST or b"\\u0000" in body:
        return decode_carefully(body)
    try:
        value = DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return decode_carefully(body)
    # Each member has a colon of its own, so as many colons as members means that none was dropped as a duplicate.
    return value if body.count(b":") == count_members(value) else decode_carefully(body)


def count_members(value: Any) -> int:
    """Count the members of all objects in a value."""
    if type(value) is dict:
        return len(value) + sum(count_members(member) for member in value.values() if type(member) in (dict, list))
    if type(value) is list:
        return sum(map(count_members, value))
    return 0


def decode_carefully(body: bytes) -> Any:
    """Decode a body that is suspect or broken, slowly, finding every fault of it and its place."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=members, parse_int=number, parse_constant=refuse_constant)
    except UnicodeDecodeError:
        raise BadJson(Fault("", "The body is not text in UTF-8.")) from None
    except RecursionError:
        raise BadJson(Fault("", f"The body nests deeper than {DEEPEST} levels.")) from None
    except ValueError as error:
        raise BadJson(Fault("", f"The body is not JSON: {error}.")) from None
    if faults := tuple(islice(faults_of(value, "", depth=1), MOST_FAULTS)):
        raise BadJson(*faults)
    return value


class Repetitive(dict[str, Any]):
    """An object some of whose members were given twice."""

    names: list[str]


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, marked where two have one name."""
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    repetitive = Repetitive(made)
    repetitive.names = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    return repetitive


def number(digits: str) -> int | float:
    """Read an integer; one with more digits than any bound allows is as good as infinite."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else float("inf")


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(f"{name} is no JSON value")


def faults_of(value: Any, pointer: str, depth: int) -> Iterator[Fault]:
    """Yield what must not be anywhere in a body."""
    if type(value) is str and (fault := text_fault(value)):
        yield Fault(pointer, fault)
    elif isinstance(value, dict | list) and depth > DEEPEST:
        yield Fault(pointer, f"The body nests deeper than {DEEPEST} levels here.")
    elif isinstance(value, dict | list) and len(pointer) > LONGEST_POINTER:
        yield Fault(pointer[:LONGEST_POINTER], "No member here has so long a name.")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from faults_of(item, f"{pointer}/{place}", depth + 1)
    elif isinstance(value, dict):
        yield from faults_of_names(value, pointer)
        for name, item in value.items():
            yield from faults_of(item, f"{pointer}/{escaped(name)}", depth + 1)


def faults_of_names(value: dict[str, Any], pointer: str) -> Iterator[Fault]:
    """Yield what is wrong with the names of an object's members."""
    for name in value.names if isinstance(value, Repetitive) else ():
        yield Fault(f"{pointer}/{escaped(name)}", "This member is given twice in one object; give it once.")
    for name in value:
        if fault := text_fault(name):
            yield Fault(pointer, f"The name of a member is wrong: {fault}")


def text_fault(text: str) -> str | None:
    """Tell what a text must not contain."""
    if "\0" in text:
        return "This holds the character U+0000, which no text here may contain."
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "This holds a lone surrogate, which is no character."
    return None
