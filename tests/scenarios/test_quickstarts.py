"""The three quickstarts of the public documentation, up to the payment: one balance, a balance per account, bills."""

from typing import Final

from tests.contract.client import Json
from tests.contract.samples import DEFAULT_RULES
from tests.scenarios.biller import AnId, Biller, refused

JOHN: Final[Json] = {"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com"}
SUBSCRIPTION: Final[Json] = {
    "external_reference": "UAR1234567890",
    "name": "Subscription Account",
    "currency": "ZAR",
    "balance": 2000,
}
JANUARY: Final[Json] = {
    "external_reference": "UBR1234567890",
    "currency": "ZAR",
    "amount_due": 2000,
    "bill_date": "2025-01-01",
    "due_date": "2025-01-31",
}
UNPAID: Final[Json] = {
    "status": "unpaid",
    "amount_paid": 0,
    "amount_remaining": 2000,
    "payment_rules": DEFAULT_RULES | {"max_amount": 2000},
}


def test_customer_balance(biller: Biller) -> None:
    """One running balance for each customer."""
    # John owes 20 rand.
    john = biller.create("customer", JOHN | {"currency": "ZAR", "balance": 2000})
    assert john == JOHN | {"id": AnId("bcus"), "currency": "ZAR", "balance": 2000, "payment_rules": DEFAULT_RULES}

    # He is found by his id, by his reference, and in the list.
    assert biller.retrieve("customer", john["id"]) == john
    assert biller.retrieve("customer", "UCR1234567890") == john
    assert biller.find("customer", external_reference="UCR1234567890") == [john]

    # He pays 25 rand at the counter: the merchant says what he owes now, which is a credit.
    in_credit = biller.update("customer", john["id"], {"balance": -500})
    assert in_credit == john | {"balance": -500}
    assert biller.retrieve("customer", "UCR1234567890") == in_credit

    # Nobody else can have his reference.
    refused(biller.try_create("customer", JOHN | {"name": "Jane"}), 409, "conflict", "/external_reference")
    assert biller.find("customer") == [in_credit]


def test_account_balance(biller: Biller) -> None:
    """A balance for each of a customer's accounts, and none on the customer."""
    # John, of whom no balance is tracked: neither balance nor currency is there.
    john = biller.create("customer", JOHN)
    assert john == JOHN | {"id": AnId("bcus"), "payment_rules": DEFAULT_RULES}

    # His subscription, by his id; his prepaid meter, by his reference.
    subscription = biller.create("account", SUBSCRIPTION | {"customer": john["id"]})
    assert subscription == SUBSCRIPTION | {
        "id": AnId("bacc"),
        "customer_id": john["id"],
        "payment_rules": DEFAULT_RULES,
    }
    meter = biller.create("account", {"customer": "UCR1234567890", "external_reference": "meter-0042"})
    assert meter == {
        "id": AnId("bacc"),
        "external_reference": "meter-0042",
        "customer_id": john["id"],
        "payment_rules": DEFAULT_RULES,
    }

    # The meter is loaded with 15 rand: neither the subscription nor John changes.
    loaded = biller.update("account", "meter-0042", {"currency": "ZAR", "balance": -1500})
    assert loaded == meter | {"currency": "ZAR", "balance": -1500}
    assert biller.retrieve("account", subscription["id"]) == subscription
    assert biller.retrieve("account", "UAR1234567890") == subscription
    assert biller.retrieve("customer", john["id"]) == john

    # Both are his, newest first, however he is named and however small the pages are.
    assert biller.find("account", customer=john["id"]) == [loaded, subscription]
    assert biller.find("account", customer="UCR1234567890", limit="1") == [loaded, subscription]


def test_an_account_and_its_customer_in_one_request(biller: Biller) -> None:
    """The account balance quickstart's short way."""
    account = biller.create("account", SUBSCRIPTION | {"customer": JOHN})
    assert account == SUBSCRIPTION | {
        "id": AnId("bacc"),
        "customer_id": AnId("bcus"),
        "payment_rules": DEFAULT_RULES,
    }
    assert biller.retrieve("account", account["id"]) == account

    # The customer is as good as one created alone.
    john = biller.retrieve("customer", "UCR1234567890")
    assert john == JOHN | {"id": account["customer_id"], "payment_rules": DEFAULT_RULES}

    # Again, for a second account: John exists, so nothing is created. Named, he gets it.
    second = {"external_reference": "UAR-2"}
    answer = biller.try_create("account", second | {"customer": JOHN})
    refused(answer, 409, "conflict", "/customer/external_reference")
    assert biller.find("account") == [account]
    assert biller.create("account", second | {"customer": "UCR1234567890"})["customer_id"] == john["id"]


def test_bill_amount_due(biller: Biller) -> None:
    """Bills with an amount and a date, on an account or on the customer."""
    # John, his account with no balance, and January's bill on it.
    john = biller.create("customer", JOHN)
    primary = {"external_reference": "UAR1234567890", "name": "Primary Account"}
    account = biller.create("account", primary | {"customer": john["id"]})
    assert account == primary | {"id": AnId("bacc"), "customer_id": john["id"], "payment_rules": DEFAULT_RULES}
    january = biller.create("bill", JANUARY | {"account": account["id"]})
    on_account = {"id": AnId("bill"), "customer_id": john["id"], "account_id": account["id"]}
    assert january == JANUARY | UNPAID | on_account
    assert biller.retrieve("bill", january["id"]) == january
    assert biller.retrieve("bill", "UBR1234567890") == january

    # February's is on John himself: no account is shown.
    february = JANUARY | {"external_reference": "UBR-2", "bill_date": "2025-02-01", "due_date": "2025-02-28"}
    direct = biller.create("bill", february | {"customer": "UCR1234567890"})
    assert direct == february | UNPAID | {"id": AnId("bill"), "customer_id": john["id"]}

    # Both are overdue, and both are John's.
    assert biller.find("bill", customer="UCR1234567890", overdue="true") == [direct, january]
    assert biller.find("bill", account="UAR1234567890") == [january]
    assert biller.find("bill", due_before="2025-02-28", status="unpaid") == [january]

    # January's is paid at the counter, February's was a mistake.
    paid = biller.update("bill", january["id"], {"amount_paid": 2000})
    assert paid == january | {"status": "paid", "amount_paid": 2000, "amount_remaining": 0}
    voided = biller.void("UBR-2")
    assert voided == direct | {"status": "voided"}
    assert biller.find("bill", overdue="true") == []
    assert biller.find("bill") == [voided, paid]

    # Bills move no balance: neither object has one.
    assert biller.retrieve("account", account["id"]) == account
    assert biller.retrieve("customer", john["id"]) == john


def test_a_bill_its_account_and_its_customer_in_one_request(biller: Biller) -> None:
    """The bill quickstart's short way."""
    account = {"external_reference": "UAR1234567890", "name": "Primary Account"}
    bill = biller.create("bill", JANUARY | {"account": account | {"customer": JOHN}})
    belongs = {"customer_id": AnId("bcus"), "account_id": AnId("bacc")}
    assert bill == JANUARY | UNPAID | belongs | {"id": AnId("bill")}
    assert biller.retrieve("bill", "UBR1234567890") == bill

    # All three exist, and belong together.
    assert biller.retrieve("account", bill["account_id"]) == account | {
        "id": bill["account_id"],
        "customer_id": bill["customer_id"],
        "payment_rules": DEFAULT_RULES,
    }
    assert biller.retrieve("customer", "UCR1234567890") == JOHN | {
        "id": bill["customer_id"],
        "payment_rules": DEFAULT_RULES,
    }

    # A wrong e-mail address, two objects down, and none of the three comes to be.
    jane = {"external_reference": "UCR-2", "email": "jane"}
    answer = biller.try_create(
        "bill",
        JANUARY | {"external_reference": "UBR-2", "account": {"external_reference": "UAR-2", "customer": jane}},
    )
    refused(answer, 400, "invalid_request", "/account/customer/email")
    assert biller.find("bill") == [bill]
    assert [found["id"] for found in biller.find("account")] == [bill["account_id"]]
    assert [found["id"] for found in biller.find("customer")] == [bill["customer_id"]]


def test_a_new_account_for_a_customer_who_exists_with_its_first_bill(biller: Biller) -> None:
    """The create page of bills: `customer` beside a new `account` says whose the account is."""
    john = biller.create("customer", JOHN)
    account = {"external_reference": "UAR1234567890", "name": "Primary Account"}
    beside = biller.create("bill", JANUARY | {"customer": john["id"], "account": account})
    assert beside == JANUARY | UNPAID | {
        "id": AnId("bill"),
        "customer_id": john["id"],
        "account_id": AnId("bacc"),
    }
    assert biller.retrieve("account", "UAR1234567890") == account | {
        "id": beside["account_id"],
        "customer_id": john["id"],
        "payment_rules": DEFAULT_RULES,
    }
