"""What every object of a tenant has that a client can name."""

from datetime import datetime
from typing import Any, ClassVar, Protocol


class Named(Protocol):
    """An object of a tenant that goes by an id, and perhaps by other names."""

    kind: ClassVar[str]

    @property
    def tenant_id(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]:
        """Give what the object goes by beside its id."""

    @property
    def path(self) -> str:
        """Give where the API has the object."""

    @property
    def version(self) -> int:
        """Count the changes of the object."""

    @property
    def updated_at(self) -> datetime: ...

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
