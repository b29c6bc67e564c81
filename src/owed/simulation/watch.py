"""What becomes of a table of the store from one look to the next."""

from collections.abc import Iterator, Mapping
from typing import Any


class Watch:
    """Remembers the rows of a table: they are never changed in place, so the same row is the same object.

    Args:
        is_appended: Whether its rows never change.
    """

    def __init__(self, name: str, *, is_appended: bool) -> None:
        self._name, self._is_appended = name, is_appended
        self._seen: dict[Any, Any] = {}
        self._faults: list[str] = []

    def changed(self, rows: Mapping[Any, Any]) -> list[Any]:
        """Give the rows that are new, or other than they were."""
        found = {key: row for key, row in rows.items() if self._seen.get(key) is not row}
        if found or len(rows) != len(self._seen):
            self._faults += [
                f"{self._name}: {key} is no longer there" for key in sorted(self._seen.keys() - rows.keys())
            ]
            if self._is_appended:
                self._faults += [f"{self._name}: {key} was written over" for key in found if key in self._seen]
            self._seen = dict(rows)
        return list(found.values())

    def faults(self) -> Iterator[str]:
        """Yield what should not have become of it, once."""
        while self._faults:
            yield self._faults.pop()
