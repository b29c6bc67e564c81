"""That those who take payments do the same work: payments, refunds and checks whose answers the contract fixes."""

from collections.abc import Iterator
from typing import Any

from bench import payments
from bench.client import Answer, Client
from bench.expected import conflict, json_of, unless, unless_at, unless_replayed, unless_shows
from bench.load import Scenario
from bench.payments import AMOUNT, HUNDRED, PATH
from bench.seeding import ACCOUNTS, BIG_BILL, BIG_PAYMENT, DEBT, PREPAID
from bench.services import Service

CUSTOMER, BILL = "payer_00000001", "payer_00000002"
PAYMENT = payments.payment(customer=CUSTOMER)
INVALID: tuple[dict[str, Any], ...] = (
    {},
    {"amount": AMOUNT, "currency": "ZAR"},
    {"customer": CUSTOMER, "amount": AMOUNT},
    *({**PAYMENT, **fault} for fault in (
        {"bill": BILL},
        {"customer": 1},
        {"customer": "a b"},
        {"amount": 0},
        {"amount": 1.0},
        {"amount": 1_000_000_000_000},
        {"currency": "ZZZ"},
        {"applications": [{"bill": BILL, "amount": AMOUNT}]},
        {"channel": "Bank"},
        {"method": "a b"},
        {"external_reference": "a b"},
        {"external_reference": "check"},
        {"provider_reference": "x" * 256},
        {"paid_at": "2025-02-30T00:00:00Z"},
        {"paid_at": "2999-01-01T00:00:00Z"},
        {"metadata": {"": "nameless"}},
        {"unknown": "member"},
    )),
)  # fmt: skip
INVALID_HUNDREDS: tuple[dict[str, Any], ...] = (
    {**payments.payment_of([BILL]), "amount": AMOUNT + 1},
    {**payments.payment_of([BILL]), "applications": []},
    {**payments.payment_of([BILL, BILL])},
    {**payments.payment_of([str(number) for number in range(101)])},
)


def faults(service: Service, scenarios: frozenset[Scenario]) -> Iterator[str]:
    """Yield what a service does otherwise than the contract says."""
    client, able = Client(service.url, service.key), service.scenarios & scenarios
    yield from _payment_faults(client)
    yield from _full_payment_faults(client)
    yield from _refusal_faults(client)
    if Scenario.PAY_HUNDRED in able:
        yield from _hundred_faults(client)
    if Scenario.CHECK in able:
        yield from _check_faults(client)
    if Scenario.CHARGE_HOT in able:
        yield from _charge_faults(client)
    if Scenario.REFUND in able:
        yield from _refund_faults(client)


def _pay(client: Client, members: object, key: str) -> Answer:
    return client.send("POST", PATH, members, Idempotency_Key=key)


def _payment_faults(client: Client) -> Iterator[str]:
    before, paid = _balance(client), _pay(client, PAYMENT, "contract_1")
    customer_id = json_of(client.send("GET", f"/billing/customers/{CUSTOMER}"))["id"]
    yield from unless_shows(paid, 201, {**_standing(AMOUNT), "customer_id": customer_id}, "a payment")
    found = json_of(paid)
    if [{**each, "id": "ob_"} for each in found.get("applications", [])] != [
        {"id": "ob_", "amount": AMOUNT, "customer_id": customer_id}
    ]:
        yield f"a payment is applied otherwise: {found}"
    if paid.headers["Location"] != f"{PATH}/{found.get('id')}" or not paid.headers["ETag"]:
        yield "a payment has no Location or no ETag"
    if _balance(client) != before - AMOUNT:
        yield f"a payment leaves {_balance(client)} of {before}"
    yield from unless_replayed(_pay(client, PAYMENT, "contract_1"), paid, "a payment")
    yield from unless(_pay(client, {**PAYMENT, "amount": 1}, "contract_1"), 422, "a reused key")
    if _balance(client) != before - AMOUNT:
        yield "a replay pays again"


def _standing(amount: int) -> dict[str, Any]:
    """Give the members of a payment of which nothing was taken back."""
    taken = {"amount_refunded": 0, "amount_reversed": 0, "amount_unallocated": 0}
    return {"status": "succeeded", "amount": amount, "currency": "ZAR", **taken}


def _balance(client: Client) -> int:
    return int(json_of(client.send("GET", f"/billing/customers/{CUSTOMER}"))["balance"])


def _full_payment_faults(client: Client) -> Iterator[str]:
    members = payments.full_payment(BILL, "contract_2")
    given = {name: value for name, value in members.items() if name != "bill"}
    bill = json_of(client.send("GET", f"/billing/bills/{BILL}"))
    paid = _pay(client, members, "contract_2")
    yield from unless_shows(paid, 201, {**given, **_standing(AMOUNT), "bill_id": bill["id"]}, "a payment of a bill")
    left = {"status": "unpaid", "amount_paid": AMOUNT, "amount_remaining": BIG_BILL - AMOUNT}
    yield from unless_shows(client.send("GET", f"/billing/bills/{BILL}"), 200, left, "a bill that was paid in part")
    again = _pay(client, {**members, "amount": BIG_BILL}, "contract_3")
    yield from conflict(again, "/external_reference")
    if json_of(again).get("payment_id") != json_of(paid).get("id"):
        yield f"a duplicate does not name the payment: {again.body.decode()}"


def _refusal_faults(client: Client) -> Iterator[str]:
    yield from unless_at(client.send("POST", PATH, PAYMENT), "header: Idempotency-Key")
    for members in INVALID:
        yield from unless(_pay(client, members, "contract_4"), 400, f"{members}")
    nobody = _pay(client, payments.payment(account="nobody"), "contract_5")
    yield from unless(nobody, 404, "a payment of no account")
    yield from unless_at(nobody, "/account")
    too_much = _pay(client, {**payments.payment(bill=BILL), "amount": BIG_BILL + 1}, "contract_6")
    yield from unless_shows(too_much, 422, _refused(["max_amount", "overpayment_allowed"]), "a payment of too much")
    yield from unless_shows(
        too_much, 422, {"would_pass": {"min": 1, "max": BIG_BILL - AMOUNT}}, "a payment of too much"
    )
    foreign = _pay(client, {**payments.payment(bill=BILL), "currency": "USD"}, "contract_7")
    yield from unless_shows(foreign, 422, _refused(["currency"]), "a payment in another currency")


def _refused(rules: list[str]) -> dict[str, Any]:
    return {"code": "payment_refused", "rule": rules[0], "rules": rules}


def _hundred_faults(client: Client) -> Iterator[str]:
    bills = [f"payer_{number:08d}" for number in range(1, HUNDRED + 1)]
    bills.remove(BILL)  # so that what is left of it is known
    amount = AMOUNT * len(bills)
    paid = _pay(client, payments.payment_of(bills), "contract_8")
    yield from unless_shows(paid, 201, _standing(amount), "a payment of many bills")
    if sum(each["amount"] for each in json_of(paid).get("applications", []) if "bill_id" in each) != amount:
        yield f"a payment of many bills is applied otherwise: {paid.body.decode()}"
    for members in INVALID_HUNDREDS:
        yield from unless(_pay(client, members, "contract_9"), 400, f"{members}")
    nothing = _pay(client, payments.payment_of([BILL, "nothing"]), "contract_10")
    yield from unless(nothing, 404, "a payment of no bill")
    yield from unless_at(nothing, "/applications/1/bill")
    left = {"amount_paid": AMOUNT}
    yield from unless_shows(client.send("GET", f"/billing/bills/{BILL}"), 200, left, "what was refused")


def _check_faults(client: Client) -> Iterator[str]:
    allowed = client.send("POST", f"{PATH}/check", payments.payment(bill=BILL))
    yield from unless_shows(allowed, 200, {"allowed": True, "rules": []}, "a check")
    after = json_of(allowed).get("after", [{}])[0]
    if after.get("amount_paid") != 2 * AMOUNT or after.get("external_reference") != BILL:
        yield f"a check shows {allowed.body.decode()}"
    unchanged = client.send("GET", f"/billing/bills/{BILL}")
    yield from unless_shows(unchanged, 200, {"amount_paid": AMOUNT}, "what was only checked")
    refused = client.send("POST", f"{PATH}/check", {**payments.payment(bill=BILL), "amount": BIG_BILL})
    rules = {"allowed": False, "rules": ["max_amount", "overpayment_allowed"]}
    yield from unless_shows(refused, 200, rules, "a check of too much")
    yield from unless(client.send("POST", f"{PATH}/check", payments.payment(bill="nothing")), 404, "a check of no bill")


def _charge_faults(client: Client) -> Iterator[str]:
    path = f"{ACCOUNTS}/{PREPAID}/charges"
    charged = client.send("POST", path, payments.charge(), Idempotency_Key="contract_20")
    yield from unless_shows(charged, 201, {**payments.charge(), "balance_after": AMOUNT - DEBT}, "a charge")
    again = client.send("POST", path, payments.charge(), Idempotency_Key="contract_20")
    yield from unless_replayed(again, charged, "a charge")
    too_much = client.send("POST", path, {**payments.charge(), "floor": DEBT}, Idempotency_Key="contract_21")
    expected = {"code": "insufficient_credit", "balance": AMOUNT - DEBT, "available": 0}
    yield from unless_shows(too_much, 422, expected, "a charge below the floor")


def _refund_faults(client: Client) -> Iterator[str]:
    path, before = f"{PATH}/paid_00000001/refunds", _balance(client)
    refunded = client.send("POST", path, payments.refund(), Idempotency_Key="contract_11")
    expected = {**payments.refund(), "currency": "ZAR"}
    yield from unless_shows(refunded, 201, expected, "a refund")
    if _balance(client) != before + AMOUNT:
        yield f"a refund leaves {_balance(client)} of {before}"
    again = client.send("POST", path, payments.refund(), Idempotency_Key="contract_11")
    yield from unless_replayed(again, refunded, "a refund")
    for number, (name, amount, status) in enumerate(
        (("paid_00000001", BIG_PAYMENT, 409), ("paid_00000001", 0, 400), ("nothing", AMOUNT, 404))
    ):
        key = f"contract_{12 + number}"
        answer = client.send("POST", f"{PATH}/{name}/refunds", {"amount": amount}, Idempotency_Key=key)
        yield from unless(answer, status, f"a refund of {amount} of {name}")
