"""Bodies: JSON, read strictly. What libraries let pass and a money API must not, is found here (contract, 1.1)."""

import json
from typing import Any

import msgspec

DEEPEST = 16


class BadJson(Exception):
    """The body is not JSON that this API takes; the message says why, and where it helps, what would be right."""


def decode(body: bytes) -> Any:
    """Decode a JSON body.

    Raises:
        BadJson: It is not UTF-8 or not JSON, holds U+0000 or a lone surrogate, nests deeper than 16, or names a member
            of one object twice.
    """
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise BadJson(f"The body nests deeper than {DEEPEST} levels.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadJson(f"The body is not JSON in UTF-8: {error}.") from None
    if is_suspect(body, value):
        inspect(body, value)
    return value


def is_suspect(body: bytes, value: Any) -> bool:
    """Tell, in a microsecond, whether a body could be one of those that only a slow look can clear.

    Each member has a colon of its own, so as many colons as members means that none was dropped as a duplicate.
    """
    return (
        body.count(b":") != count_members(value)
        or b"\\u0000" in body
        or body.count(b"{") + body.count(b"[") > DEEPEST
    )


def count_members(value: Any) -> int:
    """Count the members of all objects in a value."""
    if type(value) is dict:
        return len(value) + sum(count_members(member) for member in value.values() if type(member) in (dict, list))
    if type(value) is list:
        return sum(map(count_members, value))
    return 0


def inspect(body: bytes, value: Any) -> None:
    """Go over a body slowly, and raise BadJson for what is wrong with it."""
    check_values(value, depth=1)
    try:
        json.loads(body, object_pairs_hook=refuse_duplicates)
    except ValueError:
        raise BadJson("The body holds a number of more digits than any number here may have.") from None


def check_values(value: Any, depth: int) -> None:
    """Raise BadJson where a value nests too deep or holds U+0000."""
    if type(value) is str:
        if "\0" in value:
            raise BadJson("The body holds the character U+0000, which no text here may contain.")
    elif type(value) in (dict, list):
        if depth > DEEPEST:
            raise BadJson(f"The body nests deeper than {DEEPEST} levels.")
        for item in [*value, *value.values()] if type(value) is dict else value:
            check_values(item, depth + 1)


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; raise BadJson where two have one name."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadJson(f"The member {twice!r} is given twice in one object; give it once.")
    return members
