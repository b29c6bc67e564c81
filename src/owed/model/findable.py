"""What every object has that is found in a list by search terms."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from owed.model.named import Named


class Findable(Named, Protocol):
    """An object that is found in lists."""

    @property
    def created_at(self) -> datetime: ...

    def searched(self) -> tuple[Any, ...]:
        """Give all that the object's search terms are made of, as far as it can change."""

    def terms(self) -> Iterator[str]:
        """Yield every term that the object is found by in a list."""
