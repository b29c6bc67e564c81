"""Composite fields: objects of known members, and lists of them."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import UNSET

from owed.api.fields import Faults, Field, OnlyNull, Schema, escaped, json_type

NOTHING: frozenset[str] = frozenset()
"""No member: what null clears where nothing can be cleared."""


class Object:
    """An object of known members.

    Args:
        members: What each member may be.
        make: Takes the checked members as keywords; may raise nothing.
        required: Members that must be given.
        rule: A further fault of the object as a whole: gives its detail and the member it concerns, or None.
    """

    def __init__(
        self,
        members: Mapping[str, Field],
        make: Callable[..., Any],
        description: str,
        required: tuple[str, ...] = (),
        rule: Callable[[dict[str, Any]], tuple[str, str] | None] = lambda members: None,
    ) -> None:
        self.members = members
        self.required = required
        given = (name for name, field in members.items() if not isinstance(field, OnlyNull))
        self._unknown = f"There is no such member; there are {', '.join(given) or 'none'}."
        self._make = make
        self._rule = rule
        self.schema: Schema = {
            "type": "object",
            "description": description,
            "properties": {name: field.schema for name, field in members.items()},
            "required": list(required),
            "additionalProperties": False,
        }

    def check(self, value: Any, pointer: str, faults: Faults, clearable: frozenset[str] | None = None) -> Any:
        """Give the object, if every member is right; what null means is as for `check_members`."""
        before = faults.number
        given = self.check_members(value, pointer, faults, clearable)
        if faults.number == before and (fault := self._rule(given)):
            faults.note(f"{pointer}/{fault[0]}", fault[1])
        return self._make(**given) if faults.number == before else UNSET

    def check_members(
        self, value: Any, pointer: str, faults: Faults, clearable: frozenset[str] | None = None
    ) -> dict[str, Any]:
        """Give the members that are right, and note every fault of the others.

        Args:
            clearable: Members for which null means to clear them, as in a merge patch, where any other refuses it.
                None: a member that is null counts as not given.
        """
        if type(value) is not dict:
            faults.note(pointer, f"This must be an object, not {json_type(value)}.")
            return {}
        given: dict[str, Any] = {}
        for name, member in value.items():
            place = f"{pointer}/{escaped(name)}"
            field = self.members.get(name)
            if field is None:
                faults.note(place, self._unknown)
            elif member is not None:
                given[name] = checked(field, member, place, faults, is_patch=clearable is not None)
            elif clearable is not None:
                given[name] = None if name in clearable else faults.note(place, "This cannot be cleared.")
        for name in self.required:
            if name not in value or (value[name] is None and clearable is None):
                faults.note(f"{pointer}/{name}", "This is required.")
        return given


def checked(field: Field, value: Any, pointer: str, faults: Faults, *, is_patch: bool) -> Any:
    """Check the value of a member. In a merge patch null clears nothing inside of one: that is replaced whole."""
    if is_patch and isinstance(field, Object):
        return field.check(value, pointer, faults, NOTHING)
    return field.check(value, pointer, faults)


class Items:
    """A list of objects of known members.

    Args:
        item: What each may be.
        most: How many there may be.
        least: How many there must be.
    """

    def __init__(self, item: Object, most: int, description: str, least: int = 1) -> None:
        self._item, self._most, self._least = item, most, least
        self.schema: Schema = {
            "type": "array", "minItems": least, "maxItems": most, "items": item.schema, "description": description,
        }  # fmt: skip

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the members of each item, as far as they are right, if all are objects."""
        if type(value) is not list:
            return faults.note(pointer, f"This must be a list, not {json_type(value)}.")
        if not self._least <= len(value) <= self._most:
            return faults.note(pointer, f"This must have {self._least} to {self._most} items, not {len(value)}.")
        members = [self._item.check_members(item, f"{pointer}/{place}", faults) for place, item in enumerate(value)]
        return members if all(type(item) is dict for item in value) else UNSET
