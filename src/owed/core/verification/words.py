"""The words of who acted, and why, against the digest that the ledger holds of them."""

from typing import NamedTuple

from owed.core.journal import digest
from owed.core.verification.broken import Broken
from owed.model.attribution import Actor
from owed.model.transfer import Transfer


class Words(NamedTuple):
    """What is kept of an actor's words, as long as nobody has erased them."""

    name: str | None
    reason: str | None
    salt: bytes


def compare_words(transfer: Transfer, words: Words) -> None:
    """Compare the words that are kept for a transfer with its digest.

    Raises:
        Broken: They are not those of whoever made it.
    """
    said = Actor(transfer.key_id, words.name, words.reason)
    if transfer.attribution_digest != digest(said, words.salt):
        sentence = f"the actor and the reason of {transfer.attribution_id} are not those whose digest it holds"
        raise Broken(sentence, transfer.obligation_id, transfer.version, transfer.id)
