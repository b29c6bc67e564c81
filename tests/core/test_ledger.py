from collections import Counter
from typing import Any

import msgspec
import pytest

from owed.core.ledger import OTHER_SIDE, seal, sides
from owed.model.transfer import Cause, LedgerAccount, Transfer
from tests.core.samples import JANE, SECOND, Books, create, create_bill, refuse_broken, update, update_bill, void

RECEIVABLE, EQUITY, REPLACEMENT = (
    LedgerAccount.RECEIVABLE, LedgerAccount.OPENING_EQUITY, LedgerAccount.BALANCE_REPLACEMENT,
)  # fmt: skip
BILLED, RECEIPTS = LedgerAccount.BILLED, LedgerAccount.EXTERNAL_RECEIPTS


def three_transfers() -> list[Transfer]:
    return Books(
        create(actor=JANE, currency="ZAR", balance=100), update(balance=40), update(balance=-5)
    ).state.transfers


@pytest.mark.parametrize(
    ("cause", "amount", "debit", "credit"),
    [
        (Cause.OPENING, 100, RECEIVABLE, EQUITY),
        (Cause.OPENING, -100, EQUITY, RECEIVABLE),
        (Cause.OPENING, 0, RECEIVABLE, EQUITY),
        (Cause.BALANCE_SET, 1, RECEIVABLE, REPLACEMENT),
        (Cause.BALANCE_SET, -1, REPLACEMENT, RECEIVABLE),
        (Cause.BILL_RAISED, 1, RECEIVABLE, BILLED),
        (Cause.CORRECTION, -1, RECEIPTS, RECEIVABLE),  # amount_paid raised: money came in elsewhere
        (Cause.CORRECTION, 1, RECEIVABLE, RECEIPTS),
        (Cause.CURRENCY_CHANGED, -1, BILLED, RECEIVABLE),
        (Cause.CURRENCY_CHANGED, 1, RECEIVABLE, BILLED),
        (Cause.VOID, -1, BILLED, RECEIVABLE),
    ],
)
def test_what_raises_a_debt_debits_the_receivable_and_what_lowers_it_credits_it(
    cause: Cause, amount: int, debit: LedgerAccount, credit: LedgerAccount
) -> None:
    assert sides(cause, amount) == (debit, credit)


def test_every_cause_has_another_side() -> None:
    assert set(OTHER_SIDE) == set(Cause)


def test_transfers_are_a_chain() -> None:
    refuse_broken(three_transfers())


def test_each_side_of_the_ledger_nets_what_became_of_a_bill() -> None:
    """A bill in another currency, part-paid elsewhere, put right, and voided has moved nothing in the end."""
    books = Books(create(), create_bill(customer="UCR1"))
    for command in (update_bill(currency="USD", amount_paid=400), update_bill(amount_paid=0), void()):
        books.done(command)

    net: Counter[tuple[str, str]] = Counter()
    for transfer in books.state.transfers:
        net[transfer.debit, transfer.currency] += abs(transfer.amount)
        net[transfer.credit, transfer.currency] -= abs(transfer.amount)
    assert {account for account, _ in net} == {RECEIVABLE, BILLED, RECEIPTS}
    assert not any(net.values())


CHANGES: dict[str, Any] = {
    "tenant_id": 2,
    "obligation_id": "bcus_other",
    "version": 9,
    "id": "tra_other",
    "amount": 1,
    "currency": "USD",
    "total_after": 1,
    "debit": LedgerAccount.BALANCE_REPLACEMENT,
    "credit": LedgerAccount.BALANCE_REPLACEMENT,
    "cause": Cause.BALANCE_SET,
    "key_id": "key_other",
    "attribution_id": None,
    "attribution_digest": b"other",
}


@pytest.mark.parametrize("member", Transfer.__struct_fields__)
def test_a_transfer_cannot_be_rewritten_unseen(member: str) -> None:
    first = three_transfers()[0]
    if member == "hash":
        return
    value = CHANGES.get(member, first.recorded_at + SECOND)

    rewritten = msgspec.structs.replace(first, **{member: value})
    assert (rewritten == first, seal(rewritten, b"") == first.hash) == (False, False)


@pytest.mark.parametrize("tampered", [[1, 2], [0, 2], [1, 0, 2], [0, 1, 1, 2]])
def test_a_chain_shows_what_was_taken_out_moved_or_doubled(tampered: list[int]) -> None:
    transfers = three_transfers()

    with pytest.raises(AssertionError):
        refuse_broken(transfers[number] for number in tampered)


def test_a_chain_shows_a_transfer_that_was_slipped_in_with_sums_that_still_fit() -> None:
    """The hash of each covers its predecessor, so that all later ones would have to be written anew."""
    first, second, _ = three_transfers()
    nothing = msgspec.structs.replace(first, version=2, amount=0)
    slipped_in = msgspec.structs.replace(nothing, hash=seal(nothing, first.hash))

    with pytest.raises(AssertionError):
        refuse_broken([first, slipped_in, msgspec.structs.replace(second, version=3)])
