"""6: received money is never refused by a rule; what of it fits nothing stays with the payment."""

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    DEFAULT_RULES,
    PAYMENTS,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    as_it_stands,
    events,
    pay,
    refused,
    transfers,
)
from tests.contract.service import Database, Service


def receive(client: Client, amount: int, **members: object) -> Json:
    return a_payment(client, amount, received=True, **members)


def test_a_bill_takes_what_remains_and_the_rest_is_its_customers(client: Client, database: Database) -> None:
    bill = a_bill(client)
    payment = receive(client, 1250, bill=bill["id"], channel="eft")

    assert payment["received"] is True
    assert (payment["amount_unallocated"], payment["unallocated_customer_id"]) == (250, bill["customer_id"])
    assert [each["amount"] for each in payment["applications"]] == [1000]
    assert payment["rule_breaches"] == [
        {
            "rule": "max_amount",
            "detail": f"The bill {bill['id']} does not take 1250: that is more than its payment rules and its bounds "
            "allow. It would take 1 to 1000.",
            "bill_id": bill["id"],
            "amount": 1250,
        },
        {
            "rule": "overpayment_allowed",
            "detail": f"The bill {bill['id']} does not take 1250: that is more than is owed, and its payment rules "
            "allow no overpayment. It would take 1 to 1000.",
            "bill_id": bill["id"],
            "amount": 1250,
        },
    ]
    assert as_it_stands(client, payment) == payment
    assert as_it_stands(client, bill)["status"] == "paid"
    assert transfers(database, payment) == [("payment", "clearing:eft", "unallocated", -250, -250, "ZAR")]


def test_money_for_what_does_not_exist_is_received_all_the_same(client: Client) -> None:
    customer = a_customer(client)
    name = a_reference()
    applications = [{"bill": name, "amount": 700}]
    payment = receive(client, 1000, applications=applications, customer=customer["id"])

    assert payment["rule_breaches"] == [
        {
            "rule": "not_found",
            "detail": f"There is no bill with the id or external reference {name!r} for this key.",
            "bill": name,
            "amount": 700,
        }
    ]
    assert (payment["applications"], payment["amount_unallocated"]) == ([], 1000)
    assert payment["unallocated_customer_id"] == customer["id"]


@pytest.mark.parametrize("members", [{}, {"applications": []}, {"bill": "nowhere"}, {"customer": "nowhere"}], ids=str)
def test_money_may_be_of_nobody(client: Client, members: Json) -> None:
    payment = receive(client, 500, **members)

    assert (payment["amount_unallocated"], payment["applications"]) == (500, [])
    assert "unallocated_customer_id" not in payment


def test_a_customer_alone_is_what_is_paid(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=100)
    payment = receive(client, 500, customer=customer["id"])

    assert (payment["customer_id"], payment["amount_unallocated"]) == (customer["id"], 0)
    assert as_it_stands(client, customer)["balance"] == -400


def test_a_voided_bill_and_another_currency_take_nothing(client: Client) -> None:
    voided, dollars = a_bill(client), a_bill(client, currency="USD")
    assert client.post(f"/billing/bills/{voided['id']}/void", {}).status == 200
    payment = receive(
        client, 300, applications=[{"bill": voided["id"], "amount": 100}, {"bill": dollars["id"], "amount": 200}]
    )

    assert [each["rule"] for each in payment["rule_breaches"]] == ["voided", "currency"]
    assert payment["amount_unallocated"] == 300


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"received": "yes", "bill": "a"}, "/received"),
        ({"received": True, "applications": [{"bill": "a", "amount": 200}]}, "/amount"),
        ({"received": True, "applications": [{"bill": "a", "account": "b", "amount": 2}]}, "/applications/0"),
        ({"received": True, "bill": "a", "account": "b"}, "/account"),
        ({"received": True, "rule_breaches": []}, "/rule_breaches"),
        ({"received": False}, ""),
        ({"received": False, "applications": []}, "/applications"),
        ({"bill": "a", "customer": "b"}, "/customer"),
        ({"received": True, "currency": "ZZZ"}, "/currency"),
    ],
    ids=str,
)
def test_what_is_wrong_in_form_is_refused_as_ever(client: Client, members: Json, pointer: str) -> None:
    refused(pay(client, 100, **members), 400, pointer)


def test_a_reference_that_is_taken_is_refused_as_ever(client: Client) -> None:
    first = receive(client, 100, external_reference=a_reference())
    answer = pay(client, 100, received=True, external_reference=first["external_reference"])

    assert (answer.status, answer.json()["payment_id"]) == (409, first["id"])


def test_a_check_says_what_received_money_would_do(client: Client) -> None:
    bill = a_bill(client)
    body = {"received": True, "bill": bill["id"], "amount": 1200, "currency": "ZAR"}
    answer = client.post(f"{PAYMENTS}/check", body)
    checked = answer.json()

    assert (answer.status, checked["allowed"], checked["amount_unallocated"]) == (200, True, 200)
    assert checked["rules"] == ["max_amount", "overpayment_allowed"]
    assert [each["rule"] for each in checked["rule_breaches"]] == checked["rules"]
    assert checked["after"][0]["status"] == "paid"
    assert as_it_stands(client, bill) == bill


def test_received_money_tells_of_what_it_was_applied_to_and_of_nothing_else(client: Client, database: Database) -> None:
    bill = a_bill(client)
    payment = receive(client, 1100, bill=bill["id"])

    assert [kind for kind, _ in events(database, bill)] == ["bill.created", "obligation.amount_applied", "bill.paid"]
    assert events(database, payment) == []


def test_a_repetition_of_received_money_changes_nothing(client: Client, database: Database) -> None:
    key = a_key()
    first, again = (pay(client, 100, key=key, received=True) for _ in range(2))

    assert (first.body, again.header("Idempotent-Replayed")) == (again.body, "true")
    assert len(transfers(database, first.json())) == 1


def test_a_refund_takes_unallocated_money_first(client: Client, database: Database) -> None:
    payment = receive(client, 1250, bill=a_bill(client)["id"])
    refund = client.post(f"{PAYMENTS}/{payment['id']}/refunds", {"amount": 300}, Idempotency_Key=a_key()).json()

    assert (refund["amount"], refund["amount_unallocated"]) == (300, 250)
    assert [each["amount"] for each in refund["applications"]] == [50]
    assert transfers(database, payment)[-1] == ("refund", "unallocated", "refunds_payable", 250, 0, "ZAR")
    stands = as_it_stands(client, payment)
    assert (stands["amount_unallocated"], stands["amount_refunded"]) == (0, 300)


def unallocated(client: Client, **filters: str) -> list[Json]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    answer = client.get(f"/billing/unallocated?{query}")
    assert answer.status == 200, answer.body
    found: list[Json] = answer.json()["data"]
    return found


def test_unallocated_money_is_listed_by_customer_currency_and_channel(client: Client) -> None:
    customer = a_customer(client)
    one = receive(client, 100, applications=[], customer=customer["id"], channel="eft")
    two = receive(client, 200, applications=[], customer=customer["id"])
    dollars = receive(client, 300, applications=[], customer=customer["id"], currency="USD")
    name = customer["external_reference"]

    assert unallocated(client, customer=name) == [dollars, two, one]
    assert unallocated(client, customer=name, currency="ZAR") == [two, one]
    assert unallocated(client, customer=name, channel="eft") == [one]
    assert unallocated(client, customer="nobody") == []
    assert unallocated(client, limit="2")[:2] == [dollars, two]
    assert client.get("/billing/unallocated?status=paid").status == 400


def test_the_unallocated_money_of_a_customer_is_summed_by_currency(client: Client) -> None:
    customer = a_customer(client)
    payments = [
        receive(client, amount, applications=[], customer=customer["id"], currency=currency, channel="eft")
        for amount, currency in ((100, "ZAR"), (200, "ZAR"), (300, "USD"))
    ]
    answer = client.get(f"/billing/customers/{customer['external_reference']}/unallocated")

    def shown(payment: Json) -> Json:
        return {
            "payment_id": payment["id"],
            "amount": payment["amount"],
            "channel": "eft",
            "paid_at": payment["paid_at"],
        }

    assert answer.json() == {
        "data": [
            {"currency": "USD", "amount": 300, "payment_count": 1, "payments": [shown(payments[2])]},
            {
                "currency": "ZAR",
                "amount": 300,
                "payment_count": 2,
                "payments": [shown(payments[1]), shown(payments[0])],
            },
        ]
    }


def test_who_has_no_unallocated_money_is_told_so(client: Client) -> None:
    customer = a_customer(client)

    assert client.get(f"/billing/customers/{customer['id']}/unallocated").json() == {"data": []}
    assert client.get("/billing/customers/nobody/unallocated").status == 404
    assert client.get(f"/billing/customers/{customer['id']}/unallocated?limit=1").status == 400


def test_another_merchants_unallocated_money_is_not_there(client: Client, service: Service) -> None:
    customer = a_customer(client)
    payment = receive(client, 100, applications=[], customer=customer["id"])
    stranger = service.client(service.merchant("Stranger").keys["sk_test"])

    assert stranger.get("/billing/unallocated").json() == {"data": []}
    assert stranger.get(f"/billing/customers/{customer['id']}/unallocated").status == 404
    for noun in ("allocations", "moves"):
        answer: Answer = stranger.post(f"{PAYMENTS}/{payment['id']}/{noun}", {}, Idempotency_Key=a_key())
        assert (answer.status, answer.code) == (404, "payment_not_found")


def test_rules_stay_as_they_are(client: Client) -> None:
    assert a_bill(client)["payment_rules"]["overpayment_allowed"] is DEFAULT_RULES["overpayment_allowed"]
    assert pay(client, 1250, bill=a_bill(client)["id"]).status == 422
    assert pay(client, 1250, bill=a_bill(client)["id"], received=False).status == 422
    assert an_account(client)["payment_rules"] == DEFAULT_RULES
