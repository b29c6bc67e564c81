"""Fields: what a member of a request may be. The same declarations validate it and describe it in the OpenAPI document.

A check gives the value as it is used, or notes every fault and gives UNSET.
"""

import re
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from msgspec import UNSET

from owed.core.outcomes import Fault
from owed.model.identifiers import EPOCH

Schema = dict[str, Any]

TIMESTAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
is_timestamp = re.compile(TIMESTAMP, re.ASCII).fullmatch
BEFORE_ALL = EPOCH - timedelta(microseconds=1)
is_date = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII).fullmatch

MOST_FAULTS = 1_000
"""Faults that an answer names at most: a body may hold a hundred thousand."""


LONGEST_POINTER = 1_000
"""Characters of a place that an answer repeats at most."""


class Faults:
    """The faults found in one request so far."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self.number = 0

    def note(self, pointer: str, detail: str) -> Any:
        """Note a fault, and give UNSET, which is what a check gives for a value with a fault."""
        self.number += 1
        if self.number <= MOST_FAULTS:
            self.found.append(Fault(pointer[:LONGEST_POINTER], detail))
        return UNSET


class Field(Protocol):
    """What one member may be."""

    @property
    def schema(self) -> Schema:
        """Describe it in JSON Schema."""

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the value, or note what is wrong with it."""


class Anything:
    """A member whose value is looked at later, beside what stands."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the value."""
        return value


class OnlyNull:
    """A member that a client may only send as null, as one does that sends every member that it knows.

    Args:
        detail: Why it may not be given.
    """

    def __init__(self, detail: str) -> None:
        self.schema: Schema = {"type": "null", "description": detail}
        self._detail = detail

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Refuse the value: null never comes here."""
        return faults.note(pointer, self._detail)


class Text:
    """A string of bounded length, in characters."""

    def __init__(self, longest: int, description: str, example: str) -> None:
        self.longest = longest
        self.schema: Schema = {
            "type": "string", "maxLength": longest, "description": description, "examples": [example],
        }  # fmt: skip

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the string, if it is one and not too long."""
        if type(value) is not str:
            return faults.note(pointer, f"This must be a string, not {json_type(value)}.")
        if len(value) > self.longest:
            return faults.note(pointer, f"This has {len(value)} characters; at most {self.longest} are allowed.")
        return value


class Pattern(Text):
    """A string that a pattern of the contract matches whole, in ASCII."""

    def __init__(self, pattern: str, longest: int, right: str, description: str, example: str) -> None:
        super().__init__(longest, description, example)
        self.schema["pattern"] = f"^{pattern}$"
        self.right = right
        self._matches = re.compile(pattern, re.ASCII).fullmatch

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the string, if the pattern matches it."""
        text = super().check(value, pointer, faults)
        if text is not UNSET and not self._matches(text):
            return faults.note(pointer, f"This must be {self.right}.")
        return text


class Integer:
    """An integer between two bounds. A float, a string or a boolean is none."""

    def __init__(self, lowest: int, highest: int, description: str, example: int) -> None:
        self.lowest, self.highest = lowest, highest
        self.schema: Schema = {
            "type": "integer", "minimum": lowest, "maximum": highest, "description": description, "examples": [example],
        }  # fmt: skip

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the integer, if it is one within the bounds."""
        if type(value) is not int:
            return faults.note(pointer, f"This must be an integer, such as 2000, not {json_type(value)}.")
        if not self.lowest <= value <= self.highest:
            return faults.note(pointer, f"This must be between {self.lowest} and {self.highest}.")
        return value


class Choice:
    """One of a few strings."""

    def __init__(self, values: tuple[str, ...], description: str, example: str) -> None:
        self._values = frozenset(values)
        self._named = " or ".join((", ".join(values[:-1]), values[-1])).removeprefix(" or ")
        self.schema: Schema = {
            "type": "string", "enum": list(values), "description": description, "examples": [example],
        }  # fmt: skip

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the string, if it is one of them."""
        if type(value) is str and value in self._values:
            return value
        return faults.note(pointer, f"This must be {self._named}.")


class Date:
    """A day of the calendar, written as YYYY-MM-DD."""

    def __init__(self, description: str, example: str) -> None:
        self.schema: Schema = {
            "type": "string", "format": "date", "description": description, "examples": [example],
        }  # fmt: skip

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the date, if there is such a day."""
        if type(value) is str and is_date(value):
            with suppress(ValueError):  # such as the 30th of February
                return date.fromisoformat(value)
        return faults.note(pointer, "This must be a date that exists, written as YYYY-MM-DD, such as 2026-01-31.")


class Moment:
    """A time in UTC that ends in Z, from 1970 on.

    Args:
        is_bound: Whether it bounds a search: then an earlier time is as good as the end of 1969.
    """

    def __init__(self, description: str, example: str, *, is_bound: bool = False) -> None:
        self._is_bound = is_bound
        self.schema: Schema = {
            "type": "string", "format": "date-time", "pattern": f"^{TIMESTAMP}$", "description": description,
            "examples": [example],
        }  # fmt: skip

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the time, if there is such a one."""
        if type(value) is str and is_timestamp(value):
            with suppress(ValueError):  # such as the 30th of February
                moment = datetime.fromisoformat(value)
                if self._is_bound or moment >= EPOCH:
                    return max(moment, BEFORE_ALL)
                return faults.note(pointer, "This must be 1970 or later.")
        return faults.note(pointer, "This must be a time in UTC that ends in Z, such as 2026-01-31T09:30:00Z.")


class Boolean:
    """True or false."""

    def __init__(self, description: str) -> None:
        self.schema: Schema = {"type": "boolean", "description": description}

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the boolean, if it is one."""
        if type(value) is not bool:
            return faults.note(pointer, f"This must be true or false, not {json_type(value)}.")
        return value


class Metadata:
    """A merchant's own keys and values. A value of None stands for a key to be removed."""

    def __init__(self, max_keys: int, description: str) -> None:
        self.max_keys = max_keys
        self.schema: Schema = {
            "type": "object",
            "maxProperties": max_keys,
            "propertyNames": {"minLength": 1, "maxLength": 40},
            "additionalProperties": {"type": "string", "maxLength": 500},
            "description": description,
            "examples": [{"customer_type": "premium"}],
        }

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the keys and values, if each is within its bounds; None values pass."""
        if type(value) is not dict:
            return faults.note(pointer, f"This must be an object of strings, not {json_type(value)}.")
        before = faults.number
        for key, text in value.items():
            self.check_entry(key, text, f"{pointer}/{escaped(key)}", faults)
        return value if faults.number == before else UNSET

    def check_entry(self, key: str, text: Any, pointer: str, faults: Faults) -> None:
        """Note what is wrong with one key and its value."""
        if not 1 <= len(key) <= 40:
            faults.note(pointer, f"A key has 1 to 40 characters; this one has {len(key)}.")
        if text is not None and type(text) is not str:
            faults.note(pointer, f"A value must be a string, not {json_type(text)}.")
        elif text is not None and len(text) > 500:
            faults.note(pointer, f"This has {len(text)} characters; at most 500 are allowed.")


def escaped(name: str) -> str:
    """Escape a member's name for a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def json_type(value: Any) -> str:
    """Name the JSON type of a value, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", int: "an integer", float: "a number with a fraction"}
    if value is None:
        return "null"
    return "a boolean" if isinstance(value, bool) else names[type(value)]
