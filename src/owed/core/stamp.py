"""The stamp of a batch: the time and the ids that its commands are given, once what they touch has been read."""

from datetime import datetime
from typing import Protocol


class Stamp(Protocol):
    """The one time of a batch, and a source of ids, salts and secrets. A seeded one makes a run repeatable."""

    @property
    def now(self) -> datetime:
        """Give the time of the batch, in UTC."""

    def new_id(self, prefix: str) -> str:
        """Give an id that sorts after all that were given before."""

    def new_salt(self) -> bytes:
        """Give 16 random bytes."""

    def new_secret(self) -> bytes:
        """Give 32 random bytes that nobody can guess."""
