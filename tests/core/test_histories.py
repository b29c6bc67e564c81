"""What holds after any history of a merchant's objects, whatever the merchant sends and whatever the clock does."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from owed.core.accounts import AccountMembers
from owed.core.command import Command
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Done
from owed.core.state import State
from owed.model.bill import MAX_AMOUNT, Bill, BillStatus
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL
from owed.model.transfer import Transfer
from tests.core.samples import (
    JANE,
    KEY,
    RULES,
    Books,
    create,
    create_account,
    create_bill,
    refuse_broken,
    update,
    update_account,
    update_bill,
    void,
)

currencies = st.sampled_from(["ZAR", "ZAR", "USD", "USD", "XXQ"])
metadata = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", None]), max_size=2)
balances = st.integers(-5, 5) | st.integers(-MAX_TOTAL, MAX_TOTAL)
amounts = st.sampled_from([0, 0, 4, 10, 10, 10, 11, MAX_AMOUNT])
references = st.sampled_from(["R1", "R1", "R1", "R2", "R3"])
actors = st.sampled_from([KEY, JANE])

BALANCE: dict[str, Any] = {
    "name": st.sampled_from(["Ann", "Bob", None]),
    "currency": currencies,
    "balance": balances,
    "metadata": metadata,
}
BILL: dict[str, Any] = {
    "currency": currencies,
    "amount_paid": amounts,
    "due_date": st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    "payment_rules": st.none() | st.just(RULES),
    "metadata": metadata,
    "status": st.sampled_from(BillStatus).map(str),
}
CHANGES: list[Any] = [
    *[(change, BALANCE, name) for change in (update, update_account) for name in BALANCE],
    *[(update_bill, BILL, name) for name in ("amount_paid", "amount_paid", "amount_paid", *BILL)],
    (void, {"metadata": metadata}, "metadata"),
]
"""Each with the members that may be given, and with one that is."""


@st.composite
def changes(draw: st.DrawFn) -> Command:
    """Change or void one of the objects that may be there."""
    change, own, name = draw(st.sampled_from(CHANGES))
    members = {name: draw(own[name])}
    if beside := draw(st.sampled_from([None, None, *own])):
        members[beside] = draw(own[beside])
    command: Command = change(draw(references), actor=draw(actors), **members)
    return command


@st.composite
def creations(draw: st.DrawFn) -> Command:
    """Create a customer, an account or a bill, alone or as part of a composite."""
    kind, reference, by = draw(st.sampled_from(["customer", "account", "bill"])), draw(references), draw(actors)
    money: dict[str, Any] = draw(
        st.sampled_from([{}, {"currency": "ZAR"}, {"currency": "USD", "balance": 7}, {"balance": 1}])
    )
    customer = draw(references | st.builds(CustomerMembers, external_reference=references))
    if kind == "customer":
        return create(reference, actor=by, **money)
    if kind == "account":
        return create_account(reference, customer=customer, actor=by, **money)
    account = AccountMembers(external_reference=draw(references), customer=customer, **money)
    owner: dict[str, Any] = draw(st.sampled_from([{"customer": customer}, {"account": account}, {"account": "R1"}]))
    return create_bill(reference, amount_due=draw(st.integers(1, 20)), actor=by, **owner)


Step = tuple[int, Command]

histories = st.lists(
    st.tuples(st.integers(-10, 10), changes() | changes() | changes() | creations()), min_size=5, max_size=20
)


class History:
    """A history as it was lived: the books, and each object after every step that touched it."""

    def __init__(self, lived: list[Step]) -> None:
        self.books = Books()
        self.versions: dict[str, list[BillingObject]] = defaultdict(list)
        self.live(create("R1", currency="ZAR"))
        self.live(create_account("R1", customer="R1", currency="ZAR"))
        self.live(create_bill("R1", account="R1", amount_due=10))
        for microseconds, command in lived:
            self.books.stamps.now += timedelta(microseconds=microseconds)
            self.live(command)

    def live(self, command: Command) -> None:
        """Decide a command, and note what it made of every object."""
        if isinstance(self.books.decide(command), Done):
            for item in self.objects():
                if not self.versions[item.id] or self.versions[item.id][-1] != item:
                    self.versions[item.id].append(item)

    @property
    def state(self) -> State:
        return self.books.state

    def objects(self) -> list[Any]:
        """List all objects as they stand now."""
        return [*self.state.customers.created(), *self.state.accounts.created(), *self.state.bills.created()]

    def transfers(self) -> Iterator[tuple[Any, list[Transfer]]]:
        """Yield each object with the transfers of its obligation."""
        yield from ((item, self.books.posted(item.id)) for item in self.objects())


# The ledger


@given(histories)
def test_what_is_owed_is_the_sum_of_its_transfers_all_in_its_currency(lived: list[Step]) -> None:
    for item, transfers in History(lived).transfers():
        sums: dict[str, int] = defaultdict(int)
        for transfer in transfers:
            sums[transfer.currency] += transfer.amount

        total = sums.pop(item.obligation.currency, 0)
        assert (item.obligation.total, any(sums.values())) == (total, False)


@given(histories)
def test_each_chain_is_whole_recorded_in_its_order_and_ends_in_its_obligation(lived: list[Step]) -> None:
    for item, transfers in History(lived).transfers():
        refuse_broken(transfers)
        recorded = [transfer.recorded_at for transfer in transfers]
        assert recorded == sorted(set(recorded))
        obligation, last = item.obligation, transfers[-1] if transfers else None
        assert obligation.version == len(transfers)
        assert obligation.hash == (last.hash if last else b"")
        assert obligation.recorded_at == (last.recorded_at if last else None)


# Bills, and whose they are


@given(histories)
def test_a_bill_always_adds_up_and_is_voided_for_good(lived: list[Step]) -> None:
    for versions in History(lived).versions.values():
        for bill in (item for item in versions if isinstance(item, Bill)):
            owed = bill.amount_due - bill.amount_paid
            assert bill.obligation.total == (0 if bill.status is BillStatus.VOIDED else owed)
            assert bill.amount_remaining == max(0, owed)
            assert bill.is_voided or bill.status is (BillStatus.UNPAID if owed > 0 else BillStatus.PAID)
            assert not bill.is_voided or (bill.amount_paid, bill) == (0, versions[-1])


@given(histories)
def test_everything_belongs_to_something_that_is_there_and_never_to_another(lived: list[Step]) -> None:
    history = History(lived)
    state = history.state
    owned: list[Any] = [*state.accounts.created(), *state.bills.created()]
    for item in owned:
        assert state.customers.find(1, item.customer_id)
    for bill in state.bills.created():
        account = state.accounts.find(1, bill.account_id) if bill.account_id else None
        assert (account and account.customer_id) == (bill.account_id and bill.customer_id)
    for versions in history.versions.values():
        for name in ("external_reference", "customer_id", "account_id", "amount_due", "bill_date", "created_at"):
            assert len({getattr(item, name, None) for item in versions}) == 1


# What is counted, and what is told


@given(histories)
def test_each_counter_counts_its_own_without_gaps(lived: list[Step]) -> None:
    history = History(lived)
    for object_id, versions in history.versions.items():
        assert [item.version for item in versions] == list(range(1, len(versions) + 1))
        told = [event.sequence for event in history.state.events if event.object_id == object_id]
        assert told == list(range(1, versions[-1].event_sequence + 1))
        for before, after in pairwise(versions):
            assert 0 <= after.obligation.version - before.obligation.version <= 3
            assert after.updated_at >= before.updated_at


@given(histories)
def test_every_change_is_told_and_nothing_else(lived: list[Step]) -> None:
    history = History(lived)
    for object_id, versions in history.versions.items():
        expected = [f"{versions[0].kind}.created"]
        for before, after in pairwise(versions):
            expected += news(before, after)

        assert history.books.told(object_id) == expected


def news(before: Any, after: Any) -> list[str]:
    """List what a change of an object must have told."""
    if not isinstance(after, Bill) or before.status is after.status or after.status is BillStatus.UNPAID:
        return [f"{after.kind}.updated"]
    return ["bill.updated", "bill.paid"] if after.status is BillStatus.PAID else ["bill.voided"]


@given(histories)
def test_words_are_kept_only_for_what_changed_something(lived: list[Step]) -> None:
    history = History(lived)
    words = history.state.attributions

    assert len(words) <= sum(len(versions) for versions in history.versions.values())
    assert {kept.object_id for kept in words} <= history.versions.keys()
    attributed = {transfer.attribution_id for transfer in history.state.transfers} - {None}
    assert attributed <= {kept.id for kept in words}


@given(histories)
def test_the_same_seed_gives_the_same_history(lived: list[Step]) -> None:
    one, other = History(lived).state, History(lived).state

    assert (one.transfers, one.events, one.attributions) == (other.transfers, other.events, other.attributions)
