"""The common operations of the public documentation: what a merchant does to what is there."""

from datetime import UTC, datetime

from tests.contract.client import Json
from tests.contract.samples import DEFAULT_RULES
from tests.scenarios.biller import AnId, Biller, refused

JOHN: Json = {"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com"}
BILL: Json = {"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000}


def a_bill(biller: Biller, **members: object) -> Json:
    """Raise a bill of 20 rand on John."""
    biller.create("customer", JOHN)
    return biller.create("bill", BILL | {"customer": "UCR1234567890"} | members)


def test_update_a_customers_balance(biller: Biller) -> None:
    """A new billing cycle: the balance given replaces the one that stands."""
    john = biller.create("customer", JOHN | {"currency": "ZAR", "balance": 2000})
    assert biller.update("customer", john["id"], {"balance": 5000}) == john | {"balance": 5000}
    assert biller.update("customer", "UCR1234567890", {"balance": 0}) == john | {"balance": 0}
    assert biller.update("customer", john["id"], {"balance": 2000, "currency": "ZAR"}) == john

    # What he owes is in rand, and stays so.
    refused(biller.try_update("customer", john["id"], {"currency": "USD"}), 409, "conflict", "/currency")
    assert biller.retrieve("customer", john["id"]) == john


def test_update_an_accounts_balance(biller: Biller) -> None:
    """Only that account changes, not the others of the same customer."""
    john = biller.create("customer", JOHN)
    account = {"customer": john["id"], "name": "Subscription Account", "currency": "ZAR", "balance": 2000}
    first = biller.create("account", account | {"external_reference": "UAR1234567890"})
    second = biller.create("account", account | {"external_reference": "UAR-2"})
    assert biller.update("account", first["id"], {"balance": 10000}) == first | {"balance": 10000}
    assert biller.update("account", "UAR1234567890", {"balance": -10000}) == first | {"balance": -10000}
    assert biller.retrieve("account", second["id"]) == second
    assert biller.retrieve("customer", john["id"]) == john


def test_record_what_was_paid_elsewhere(biller: Biller) -> None:
    """`amount_paid` is the whole of what has been paid; remaining and status follow, up and down."""
    bill = a_bill(biller, bill_date="2025-01-01", due_date="2025-01-31")

    part = biller.update("bill", bill["id"], {"amount_paid": 1500})
    assert part == bill | {"amount_paid": 1500, "amount_remaining": 500}
    paid = biller.update("bill", "UBR1234567890", {"amount_paid": 2000, "currency": "ZAR"})
    assert paid == bill | {"status": "paid", "amount_paid": 2000, "amount_remaining": 0}
    assert biller.find("bill", status="paid") == [paid]

    # More than is due is refused by its rules, and a bill in rand is not paid in dollars.
    refused(biller.try_update("bill", bill["id"], {"amount_paid": 2001}), 400, "invalid_request", "/amount_paid")
    refused(biller.try_update("bill", bill["id"], {"currency": "USD"}), 409, "conflict", "/currency")

    # The cheque bounced: nothing has been paid after all.
    assert biller.update("bill", bill["id"], {"amount_paid": 0}) == bill
    assert biller.find("bill", status="paid") == []


def test_accept_more_than_is_due(biller: Biller) -> None:
    """A bill whose rules allow it takes an overpayment: nothing remains, and nothing less than that."""
    rules = DEFAULT_RULES | {"overpayment_allowed": True}
    bill = a_bill(biller, payment_rules=rules, bill_date="2025-01-01")
    over = biller.update("bill", bill["id"], {"amount_paid": 2500})
    assert over == bill | {"status": "paid", "amount_paid": 2500, "amount_remaining": 0}


def test_update_metadata(biller: Biller) -> None:
    """What is given is merged with what stands, on every kind of object."""
    bill = a_bill(biller, metadata={"invoice_period": "January 2025", "service_type": "subscription"})
    payment = {"payment_method": "bank_transfer", "payment_reference": "TXN123456789"}
    noted = biller.update("bill", bill["id"], {"metadata": payment})
    assert noted == bill | {"metadata": bill["metadata"] | payment}
    corrected = biller.update("bill", bill["id"], {"metadata": {"payment_method": "cash"}})
    assert corrected == bill | {"metadata": bill["metadata"] | payment | {"payment_method": "cash"}}

    john = biller.retrieve("customer", "UCR1234567890")
    plan = {"metadata": {"customer_type": "premium"}}
    assert biller.update("customer", john["id"], plan) == john | plan
    account = biller.create("account", {"customer": john["id"], "external_reference": "UAR1234567890"})
    assert biller.update("account", account["id"], plan) == account | plan


def test_void_a_bill(biller: Biller) -> None:
    """A void is for good: what was due stays to be seen, and nothing can be done to the bill any more."""
    bill = a_bill(biller, bill_date="2025-01-01", due_date="2025-01-31")
    voided = biller.void(bill["id"])
    assert voided == bill | {"status": "voided"}
    assert biller.retrieve("bill", "UBR1234567890") == voided

    refused(biller.try_void("UBR1234567890"), 409, "conflict")
    for change in ({"amount_paid": 2000}, {"metadata": {"note": "x"}}, {"due_date": "2025-02-28"}, {}):
        assert biller.try_update("bill", bill["id"], change).status == 409
    assert biller.find("bill", status="voided") == [voided]

    # Its reference is used up; the bill that replaces it needs another.
    again = BILL | {"customer": "UCR1234567890"}
    refused(biller.try_create("bill", again), 409, "conflict", "/external_reference")
    assert biller.create("bill", again | {"external_reference": "UBR-2"})["status"] == "unpaid"


def test_void_a_bill_and_say_why(biller: Biller) -> None:
    """The reason goes into the metadata, beside what is there."""
    bill = a_bill(biller, metadata={"invoice_period": "January 2025"})
    voided = biller.void(bill["id"], {"voided_reason": "customer_cancellation"})
    metadata = {"invoice_period": "January 2025", "voided_reason": "customer_cancellation"}
    assert voided == bill | {"status": "voided", "metadata": metadata}


def test_a_bill_with_money_on_it_is_corrected_before_it_is_voided(biller: Biller) -> None:
    """What was paid must first be given back, or be taken off again."""
    bill = a_bill(biller)
    for amount in (2000, 1):
        standing = biller.update("bill", bill["id"], {"amount_paid": amount})
        refused(biller.try_void(bill["id"]), 409, "conflict")
        assert biller.retrieve("bill", bill["id"]) == standing
    assert biller.update("bill", bill["id"], {"amount_paid": 0}) == bill
    assert biller.void(bill["id"]) == bill | {"status": "voided"}


def test_a_bill_is_of_today_unless_it_says_otherwise(biller: Biller) -> None:
    """Only the reference, the currency and the amount are given: no due date, no account, no metadata is shown."""
    before = datetime.now(UTC).date().isoformat()
    bill = a_bill(biller)
    after = datetime.now(UTC).date().isoformat()
    assert bill == BILL | {
        "id": AnId("bill"),
        "customer_id": AnId("bcus"),
        "status": "unpaid",
        "amount_paid": 0,
        "amount_remaining": 2000,
        "bill_date": bill["bill_date"],
        "payment_rules": DEFAULT_RULES | {"max_amount": 2000},
    }
    assert bill["bill_date"] in (before, after)
