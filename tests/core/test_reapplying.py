"""A balance of an earlier time: what was recorded since is applied on top of it (contract, section 2)."""

from datetime import datetime
from typing import Any

import pytest

from owed.core.outcomes import Code, Done
from owed.core.state import Name, Unread, moved_object, movement_since
from owed.model.identifiers import EPOCH
from owed.model.money import MAX_TOTAL
from owed.model.movement import Movement
from owed.model.payment_rules import PaymentRules
from tests.core.samples import NOW, SECOND, Books, create, pay, places, refund, update

OPEN = PaymentRules(1, 999_999_999_999, underpayment_allowed=True, overpayment_allowed=True)


def books(*commands: Any) -> Books:
    """Give the books of a customer who owed 1000 a second ago, and of what has happened since."""
    made = Books(create(currency="ZAR", balance=1000, payment_rules=OPEN))
    made.stamps.now += SECOND
    for command in commands:
        made.done(command)
    return made


def having_read(movement: Movement) -> Books:
    """Give books that know of the customer, who has paid 100, and of the movement, only what was read."""
    before = books(paid(100))
    (customer,) = before.state.customers.created()
    ours = Books(stamps=before.stamps)
    ours.state.customers.load(customer)
    ours.state.movements[1, customer.id, NOW] = movement
    return ours


def extract(balance: int, as_of: datetime = NOW, **given: Any) -> Any:
    return update(balance=balance, balance_as_of=as_of, **given)


def paid(amount: int, **given: Any) -> Any:
    return pay("UCR1", amount, kind="customer", **given)


@pytest.mark.parametrize(
    ("since", "balance", "reapplied"),
    [
        ((), 700, 0),
        ((paid(100),), 600, 1),
        ((paid(100), paid(30)), 570, 2),
        ((paid(100), update(balance=5)), 600, 1),
        ((update(balance=5), paid(100), update(balance=6)), 600, 1),
        ((paid(100, external_reference="P1"), refund("P1", amount=40)), 640, 2),
    ],
)
def test_what_was_recorded_since_is_applied_on_top(since: tuple[Any, ...], balance: int, reapplied: int) -> None:
    outcome = books(*since).decide(extract(700))

    assert isinstance(outcome, Done)
    assert (outcome.object.shown()["balance"], outcome.reapplied) == (balance, reapplied)


def test_what_was_recorded_at_the_time_is_in_the_balance() -> None:
    ours = books(paid(100))
    outcome = ours.decide(extract(900, as_of=ours.stamps.now))

    assert isinstance(outcome, Done)
    assert (outcome.object.shown()["balance"], outcome.reapplied) == (900, 0)


def test_what_was_read_of_the_ledger_counts_with_what_the_batch_has_done() -> None:
    ours = having_read(Movement(version=2, amount=-100, number=1))
    ours.done(paid(20))
    outcome = ours.decide(extract(700))

    assert isinstance(outcome, Done)
    assert (outcome.object.shown()["balance"], outcome.reapplied) == (580, 2)


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_movement_that_was_read_at_another_moment_than_the_object_is_read_again(version: int) -> None:
    """Even where the balance that comes of it is the one that stands, so that nothing would be written."""
    ours = having_read(Movement(version, -200, 1))

    with pytest.raises(Unread):
        ours.decide(extract(1100))


def test_a_balance_beyond_its_bounds_is_a_conflict() -> None:
    ours = books(paid(100))

    assert ours.refused(extract(-MAX_TOTAL)).code == Code.CONFLICT
    assert ours.done(extract(100 - MAX_TOTAL)).obligation.total == -MAX_TOTAL


@pytest.mark.parametrize("members", [{"balance_as_of": NOW}, {"balance": 1, "balance_as_of": NOW + 2 * SECOND}])
def test_a_time_without_a_balance_or_to_come_is_refused(members: dict[str, Any]) -> None:
    refusal = books().refused(update(**members))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/balance_as_of"])


def test_a_customer_that_is_not_there_is_not_found() -> None:
    assert Books().refused(extract(1)).code == Code.NOT_FOUND


@pytest.mark.parametrize("text", ["UCR1", "a:b", ""])
@pytest.mark.parametrize("moment", [EPOCH, NOW])
def test_the_name_of_a_movement_tells_whose_it_is_and_since_when(text: str, moment: datetime) -> None:
    name = Name("account", 7, text)

    assert moved_object(movement_since(name, moment)) == (name, moment)
