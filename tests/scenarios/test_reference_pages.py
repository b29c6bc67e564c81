"""The samples of the public reference, page by page, for a merchant who is set up as the one behind those samples."""

from typing import Final

import pytest

from tests.contract.client import Json
from tests.scenarios.biller import AnId, Biller

RULES: Final[Json] = {"min_amount": 100, "underpayment_allowed": True, "overpayment_allowed": False}
CUSTOMER: Final[Json] = {
    "external_reference": "UCR1234567890",
    "name": "John Doe",
    "email": "john.doe@example.com",
    "phone": "+27123456789",
    "currency": "ZAR",
    "balance": 2000,
    "metadata": {"customer_type": "premium", "registration_source": "website"},
}
ACCOUNT: Final[Json] = {
    "external_reference": "UAR1234567890",
    "name": "Subscription Account",
    "currency": "ZAR",
    "balance": 2000,
    "metadata": {"account_type": "subscription", "billing_cycle": "monthly"},
}
BILL: Final[Json] = {
    "external_reference": "UBR1234567890",
    "currency": "ZAR",
    "amount_due": 2000,
    "bill_date": "2025-01-01",
    "due_date": "2025-01-31",
    "metadata": {"invoice_period": "January 2025", "service_type": "subscription"},
}


@pytest.fixture
def sample_biller(biller: Biller) -> Biller:
    """A merchant whose rules are those that the samples show; a bill's maximum is what is due on it."""
    rules = {"customer": RULES | {"max_amount": 1_000_000}, "account": RULES | {"max_amount": 500_000}, "bill": RULES}
    settings = biller.set_up({"payment_rules": rules})
    assert settings.items() >= {"time_zone": "UTC", "require_idempotency_key": False, "payment_rules": rules}.items()
    return biller


def test_the_customer_pages(sample_biller: Biller) -> None:
    """Create, retrieve."""
    customer = sample_biller.create("customer", CUSTOMER)
    assert customer == CUSTOMER | {"id": AnId("bcus"), "payment_rules": RULES | {"max_amount": 1_000_000}}
    for name in (customer["id"], "UCR1234567890"):
        assert sample_biller.retrieve("customer", name) == customer


def test_the_account_pages(sample_biller: Biller) -> None:
    """Create, retrieve, update."""
    john = sample_biller.create("customer", CUSTOMER)
    account = sample_biller.create("account", ACCOUNT | {"customer": john["id"]})
    rules = {"payment_rules": RULES | {"max_amount": 500_000}}
    assert account == ACCOUNT | rules | {"id": AnId("bacc"), "customer_id": john["id"]}
    for name in (account["id"], "UAR1234567890"):
        assert sample_biller.retrieve("account", name) == account

    more = {"account_tier": "premium", "updated_by": "admin"}
    change = {"name": "Premium Subscription Account", "metadata": more}
    assert sample_biller.update("account", account["id"], change) == account | {
        "name": "Premium Subscription Account",
        "metadata": ACCOUNT["metadata"] | more,
    }


def test_the_bill_pages(sample_biller: Biller) -> None:
    """Create, retrieve, update, of a bill on an account."""
    sample_biller.create("customer", CUSTOMER)
    account = sample_biller.create("account", ACCOUNT | {"customer": "UCR1234567890"})
    bill = sample_biller.create("bill", BILL | {"account": account["id"]})
    assert bill == BILL | {
        "id": AnId("bill"),
        "customer_id": account["customer_id"],
        "account_id": account["id"],
        "status": "unpaid",
        "amount_paid": 0,
        "amount_remaining": 2000,
        "payment_rules": RULES | {"max_amount": 2000},
    }
    for name in (bill["id"], "UBR1234567890"):
        assert sample_biller.retrieve("bill", name) == bill

    payment = {"payment_method": "bank_transfer", "payment_reference": "TXN123456789"}
    assert sample_biller.update("bill", bill["id"], {"amount_paid": 1500, "metadata": payment}) == bill | {
        "amount_paid": 1500,
        "amount_remaining": 500,
        "metadata": BILL["metadata"] | payment,
    }


def test_the_void_page(sample_biller: Biller) -> None:
    """Void: what remains stays as it was."""
    sample_biller.create("customer", CUSTOMER)
    bill = sample_biller.create("bill", BILL | {"customer": "UCR1234567890"})
    reason = {"voided_reason": "customer_cancellation"}
    assert sample_biller.void(bill["id"], reason) == bill | {
        "status": "voided",
        "metadata": BILL["metadata"] | reason,
    }
