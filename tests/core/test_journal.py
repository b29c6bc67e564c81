from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from owed.core.journal import Journal, digest
from owed.core.ledger import Source
from owed.model.attribution import Actor
from owed.model.obligation import Obligation
from owed.model.transfer import Cause
from tests.core.samples import JANE, KEY, NOW, Books, Stamps, create, update

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    "times",
    [
        [NOW, NOW, NOW],
        [NOW, NOW - timedelta(days=1), NOW - timedelta(days=2)],
        [NOW, NOW + timedelta(hours=1), NOW],
    ],
    ids=["the clock stands still", "steps back", "goes on and steps back"],
)
def test_transfers_of_one_obligation_are_recorded_one_after_the_other(times: list[datetime]) -> None:
    """docs/architecture.md, "order": `max(now, the obligation's last + 1 µs)`."""
    books = Books(create(currency="ZAR"))
    for balance, now in enumerate(times):
        books.stamps.now = now
        books.done(update(balance=balance))

    recorded = [transfer.recorded_at for transfer in books.state.transfers]
    assert all(later - earlier >= MICROSECOND for earlier, later in pairwise(recorded))
    assert all(at >= now for at, now in zip(recorded, times, strict=True))


def test_two_transfers_of_one_command_are_recorded_one_after_the_other() -> None:
    journal = Journal(1, KEY, Stamps()())
    first = journal.post(Obligation(), "bcus_1", 5, "ZAR", Source(Cause.OPENING))
    second = journal.post(first, "bcus_1", 5, "ZAR", Source(Cause.BALANCE_SET))

    assert (first.recorded_at, second.recorded_at) == (NOW, NOW + MICROSECOND)


def test_a_transfer_happened_when_it_was_recorded_unless_somebody_says_otherwise() -> None:
    journal = Journal(1, KEY, Stamps()())
    first = journal.post(Obligation(), "bcus_1", 5, "ZAR", Source(Cause.OPENING))
    journal.post(first, "bcus_1", 5, "ZAR", Source(Cause.BALANCE_SET, occurred_at=NOW - timedelta(days=3)))

    assert [transfer.occurred_at for transfer in journal.transfers] == [NOW, NOW - timedelta(days=3)]


def test_an_obligation_stands_as_its_last_transfer_says() -> None:
    journal = Journal(1, KEY, Stamps()())
    obligation = journal.post(Obligation(total=2), "bcus_1", 5, "ZAR", Source(Cause.OPENING))

    (transfer,) = journal.transfers
    assert obligation == Obligation("ZAR", 7, version=1, hash=transfer.hash, recorded_at=NOW)


@pytest.mark.parametrize(
    ("actor", "kept"), [(KEY, 0), (Actor("key_1", name="Jane"), 1), (Actor("key_1", reason="moved"), 1), (JANE, 1)]
)
def test_words_are_kept_where_there_are_any(actor: Actor, kept: int) -> None:
    assert len(Books(create(actor=actor)).state.attributions) == kept


def test_words_are_of_the_object_that_the_command_says_it_is_about_be_it_last() -> None:
    """A composite knows its own id only once the objects that it belongs to are made."""
    journal = Journal(1, JANE, Stamps()())
    journal.post(Obligation(), "bcus_1", 5, "ZAR", Source(Cause.OPENING))
    journal.concern("bacc_1", "account.create")

    (words,) = journal.attributions()
    assert (words.object_id, words.command) == ("bacc_1", "account.create")
    assert journal.transfers[0].attribution_id == words.id


def test_a_digest_proves_the_words_and_differs_for_the_same_words_elsewhere() -> None:
    books = Books(create("UCR1", actor=JANE), create("UCR2", actor=JANE))
    one, other = books.state.attributions

    assert digest(one.actor, one.salt) != digest(other.actor, other.salt)
    assert digest(one.actor, one.salt) != digest(KEY, one.salt)


def test_names_and_reasons_stay_out_of_the_ledger() -> None:
    """docs/architecture.md, "Data": a person can be erased and the ledger still verifies."""
    books = Books(create(actor=JANE, name="John Doe", currency="ZAR", balance=5))

    written = str(msgspec.to_builtins(books.state.transfers))
    assert not any(word in written for word in ("Jane", "moved", "John"))
