"""4: PATCH /billing/bills/{bill}."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Client, Json
from tests.contract.samples import (
    BILLS,
    RULES,
    a_bill,
    a_customer,
    a_reference,
    an_account,
    at,
    create_bill,
    events,
    refused,
    transfers,
)
from tests.contract.service import Database

MOST: Final = 99_999_999
OVER: Final = RULES | {"overpayment_allowed": True}
FULL: Final[Json] = {
    "bill_date": "2026-01-01",
    "due_date": "2026-01-31",
    "payment_rules": RULES,
    "metadata": {"a": "1", "b": "2"},
}
RAISED: Final = ("bill_raised", "receivable", "billed", 1000, 1000, "ZAR")
BOTH = pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])


def money(bill: Json) -> tuple[int, int, str]:
    return bill["amount_paid"], bill["amount_remaining"], bill["status"]


def with_paid(client: Client, amount_paid: int, **members: object) -> Json:
    """Make a bill of 1000 ZAR with money on it."""
    answer = client.patch(at(a_bill(client, **members)), {"amount_paid": amount_paid})
    assert answer.status == 200, answer.body
    bill: Json = answer.json()
    return bill


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("currency", "USD"),
        ("due_date", "2026-03-01"),
        ("due_date", "0001-01-01"),
        ("due_date", "9999-12-31"),
        ("payment_rules", OVER),
    ],
)
@BOTH
def test_only_the_given_members_change(client: Client, member: str, value: object, media_type: str) -> None:
    """4: PATCH 200; only the given members change."""
    bill = a_bill(client, **FULL)
    answer = client.patch(at(bill), {member: value}, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, bill | {member: value})
    assert client.get(at(bill)).json() == bill | {member: value}


def test_members_that_were_absent_can_be_set(client: Client) -> None:
    bill = a_bill(client, bill_date="2026-01-01")
    assert client.patch(at(bill), FULL).json() == bill | FULL


def test_a_bill_is_changed_by_its_reference(client: Client) -> None:
    bill = a_bill(client)
    path = f"{BILLS}/{bill['external_reference']}"
    assert money(client.patch(path, {"amount_paid": 1000}).json()) == (1000, 0, "paid")
    assert money(client.get(at(bill)).json()) == (1000, 0, "paid")


# amount_paid


@pytest.mark.parametrize(
    ("amount_due", "amount_paid", "remaining", "status"),
    [
        (1000, 1, 999, "unpaid"),
        (1000, 999, 1, "unpaid"),
        (1000, 1000, 0, "paid"),
        (1, 1, 0, "paid"),
        (MOST, MOST - 1, 1, "unpaid"),
        (MOST, MOST, 0, "paid"),
    ],
)
@BOTH
def test_remaining_and_status_follow_what_is_paid(
    client: Client, amount_due: int, amount_paid: int, remaining: int, status: str, media_type: str
) -> None:
    """4: `amount_remaining` is `max(0, amount_due - amount_paid)`; `unpaid` until nothing remains."""
    bill = a_bill(client, amount_due=amount_due)
    changed = bill | {"amount_paid": amount_paid, "amount_remaining": remaining, "status": status}
    answer = client.patch(at(bill), {"amount_paid": amount_paid}, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, changed)
    assert client.get(at(bill)).json() == changed


def test_what_is_paid_is_corrected_up_and_down(client: Client, database: Database) -> None:
    """4, 6: PATCH gives the absolute value; each transfer is the difference, against receipts from elsewhere."""
    bill = a_bill(client, payment_rules=OVER)
    for amount_paid, remaining, status in (
        (400, 600, "unpaid"),
        (1000, 0, "paid"),
        (1250, 0, "paid"),
        (999, 1, "unpaid"),
        (0, 1000, "unpaid"),
        (1001, 0, "paid"),
    ):
        assert money(client.patch(at(bill), {"amount_paid": amount_paid}).json()) == (amount_paid, remaining, status)
        assert money(client.get(at(bill)).json()) == (amount_paid, remaining, status)
    assert transfers(database, bill) == [
        RAISED,
        ("correction", "external_receipts", "receivable", -400, 600, "ZAR"),
        ("correction", "external_receipts", "receivable", -600, 0, "ZAR"),
        ("correction", "external_receipts", "receivable", -250, -250, "ZAR"),
        ("correction", "receivable", "external_receipts", 251, 1, "ZAR"),
        ("correction", "receivable", "external_receipts", 999, 1000, "ZAR"),
        ("correction", "external_receipts", "receivable", -1001, -1, "ZAR"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "-1", "100000000", "9223372036854775808", "1" + "0" * 40, "9" * 400, "500.0", "0.0", "-0.0", "500.5", "5e2",
        '"500"', '""', "true", "false", "[]", "{}",
    ],
)  # fmt: skip
def test_an_amount_paid_may_not_be(client: Client, text: str) -> None:
    """4, row `amount_paid`: an integer 0 to 99,999,999, never a float, a string or a boolean, whatever the rules."""
    bill = a_bill(client, payment_rules=OVER)
    for send in (client.patch, client.merge):
        refused(send(at(bill), f'{{"amount_paid": {text}}}'.encode()), 400, "/amount_paid")
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize("amount_paid", [1001, 2000, MOST])
def test_no_more_is_paid_than_is_due(client: Client, amount_paid: int) -> None:
    """4: `amount_paid` above `amount_due` by PATCH only where `overpayment_allowed`, else 400."""
    bare = client.merge(at(a_bill(client)), {"payment_rules": None}).json()
    for bill in (a_bill(client), a_bill(client, payment_rules=RULES), with_paid(client, 400), bare):
        refused(client.patch(at(bill), {"amount_paid": amount_paid}), 400, "/amount_paid")
        assert client.get(at(bill)).json() == bill
    assert money(client.patch(at(bare), {"amount_paid": 1000}).json()) == (1000, 0, "paid")


@pytest.mark.parametrize("amount_paid", [1001, MOST])
def test_more_is_paid_than_is_due_where_the_rules_allow_it(client: Client, amount_paid: int) -> None:
    """4: where `overpayment_allowed`; nothing remains then, and nothing less than nothing."""
    bill = a_bill(client, payment_rules=OVER)
    assert money(client.patch(at(bill), {"amount_paid": amount_paid}).json()) == (amount_paid, 0, "paid")


def test_the_rules_of_the_same_patch_decide(client: Client) -> None:
    """4: what the bill's rules are once the PATCH is done."""
    strict, open_ = a_bill(client), a_bill(client, payment_rules=OVER)
    allowed = client.patch(at(strict), {"amount_paid": 1500, "payment_rules": OVER})
    assert (allowed.status, money(allowed.json()), allowed.json()["payment_rules"]) == (200, (1500, 0, "paid"), OVER)
    refused(client.patch(at(open_), {"amount_paid": 1500, "payment_rules": RULES}), 400, "/amount_paid")
    refused(client.merge(at(open_), {"amount_paid": 1500, "payment_rules": None}), 400, "/amount_paid")
    assert client.get(at(open_)).json() == open_


def test_rules_that_are_faulty_decide_nothing(client: Client) -> None:
    """1.5: a fault is named where it is: once the rules are put right, the amount is right."""
    bill = a_bill(client)
    faulty = {"amount_paid": 1500, "payment_rules": OVER | {"min_amount": 0}}
    refused(client.patch(at(bill), faulty), 400, "/payment_rules/min_amount")
    assert client.patch(at(bill), {"amount_paid": 1500, "payment_rules": OVER}).status == 200


def test_what_was_overpaid_once_stands(client: Client) -> None:
    """4, 1.1: rules that forbid it from now on undo nothing, and the bill may be sent back as it is."""
    bill = with_paid(client, 1500, payment_rules=OVER)
    strict = client.patch(at(bill), {"payment_rules": RULES})
    assert (strict.status, strict.json()) == (200, bill | {"payment_rules": RULES})
    again = client.patch(at(bill), strict.json())
    assert (again.status, again.json(), again.etag) == (200, strict.json(), strict.etag)
    refused(client.patch(at(bill), {"amount_paid": 1499}), 400, "/amount_paid")
    assert money(client.patch(at(bill), {"amount_paid": 999}).json()) == (999, 1, "unpaid")


# currency


def test_a_currency_changes_while_nothing_is_paid(client: Client, database: Database) -> None:
    """4, 6: two transfers of the cause `currency_changed`: out of the old currency, into the new one."""
    bill = a_bill(client)
    for currency in ("USD", "JPY"):
        answer = client.patch(at(bill), {"currency": currency})
        assert (answer.status, answer.json()) == (200, bill | {"currency": currency})
    assert transfers(database, bill) == [
        RAISED,
        ("currency_changed", "billed", "receivable", -1000, 0, "ZAR"),
        ("currency_changed", "receivable", "billed", 1000, 1000, "USD"),
        ("currency_changed", "billed", "receivable", -1000, 0, "USD"),
        ("currency_changed", "receivable", "billed", 1000, 1000, "JPY"),
    ]
    assert [kind for kind, _ in events(database, bill)] == ["bill.created", "bill.updated", "bill.updated"]


@pytest.mark.parametrize("amount_paid", [1, 999, 1000, 1500])
def test_a_currency_does_not_change_once_money_is_on_the_bill(
    client: Client, database: Database, amount_paid: int
) -> None:
    """4: `currency` while `amount_paid` is 0; 1.5: changing a currency that money already uses is 409."""
    bill = with_paid(client, amount_paid, payment_rules=OVER)
    for change in ({}, {"due_date": "2027-01-01"}, {"amount_paid": 0}, {"amount_paid": 500}):
        refused(client.patch(at(bill), {"currency": "USD"} | change), 409, "/currency")
    assert client.get(at(bill)).json() == bill
    assert len(transfers(database, bill)) == 2


def test_a_currency_changes_again_once_the_money_is_gone(client: Client, database: Database) -> None:
    """4: while `amount_paid` is 0: it is not a matter of history."""
    bill = with_paid(client, 400)
    client.patch(at(bill), {"amount_paid": 0})
    assert client.patch(at(bill), {"currency": "USD"}).json()["currency"] == "USD"
    assert transfers(database, bill)[-2:] == [
        ("currency_changed", "billed", "receivable", -1000, 0, "ZAR"),
        ("currency_changed", "receivable", "billed", 1000, 1000, "USD"),
    ]


def test_a_currency_changes_before_the_money_of_the_same_patch(client: Client, database: Database) -> None:
    """4: `amount_paid` is 0 where the PATCH comes; what it brings is of the new currency."""
    bill = a_bill(client)
    answer = client.patch(at(bill), {"amount_paid": 1000, "currency": "USD"})
    assert (answer.status, answer.json()["currency"], money(answer.json())) == (200, "USD", (1000, 0, "paid"))
    assert transfers(database, bill) == [
        RAISED,
        ("currency_changed", "billed", "receivable", -1000, 0, "ZAR"),
        ("currency_changed", "receivable", "billed", 1000, 1000, "USD"),
        ("correction", "external_receipts", "receivable", -1000, 0, "USD"),
    ]


def test_the_same_currency_again_is_always_accepted(client: Client, database: Database) -> None:
    """1.1: also where money uses it, and where it has left the active list: it is checked only when first given."""
    bill, paid = a_bill(client), with_paid(client, 1000)
    assert client.patch(at(paid), {"currency": "ZAR"}).json() == paid
    database.execute("UPDATE bill SET currency = 'DEM' WHERE id = ANY ($1)", [bill["id"], paid["id"]])
    assert client.patch(at(bill), {"currency": "DEM", "due_date": "2027-01-01"}).json()["due_date"] == "2027-01-01"
    assert client.patch(at(paid), {"currency": "DEM"}).json()["currency"] == "DEM"
    refused(client.patch(at(a_bill(client)), {"currency": "DEM"}), 400, "/currency")


@pytest.mark.parametrize("currency", ["", "usd", "US", "ZZZ", "USD\n", " USD", 840, 1.5, True, [], {}])
@BOTH
def test_a_currency_may_not_be(client: Client, currency: object, media_type: str) -> None:
    bill = a_bill(client)
    refused(client.patch(at(bill), {"currency": currency}, Content_Type=media_type), 400, "/currency")
    assert client.get(at(bill)).json() == bill


# due_date and payment_rules


def test_a_due_date_is_set_changed_and_cleared(client: Client, database: Database) -> None:
    """4, 1.1: a `null` clears it in a merge patch, and counts as not given elsewhere."""
    bill = a_bill(client)
    path = at(bill)
    for date in ("2026-01-31", "2024-02-29"):
        assert client.patch(path, {"due_date": date}).json() == bill | {"due_date": date}
        assert client.patch(path, {"due_date": None}).json() == bill | {"due_date": date}
    assert client.merge(path, {"due_date": None}).json() == bill
    assert client.get(path).json() == bill
    assert [data.get("due_date") for _, data in events(database, bill)] == [None, "2026-01-31", "2024-02-29", None]
    assert transfers(database, bill) == [RAISED]


@pytest.mark.parametrize(
    "date",
    ["", "2025-02-30", "2023-02-29", "25-01-01", "2025-1-1", "20250101", "2025-01-01T00:00:00Z", "0000-01-01",
     "10000-01-01", "2025-01-01\n", "\uff12\uff10\uff12\uff15-01-01", 20250101, 1.5, True, [], {}],
)  # fmt: skip
@BOTH
def test_a_due_date_may_not_be(client: Client, date: object, media_type: str) -> None:
    """1.1: dates are `YYYY-MM-DD`."""
    bill = a_bill(client, **FULL)
    refused(client.patch(at(bill), {"due_date": date}, Content_Type=media_type), 400, "/due_date")
    assert client.get(at(bill)).json() == bill


def test_rules_are_replaced_whole_and_cleared_by_a_merge_patch_alone(client: Client) -> None:
    """1.1: `payment_rules` is replaced whole in either media type; 5: those that were cleared stay away."""
    bill = a_bill(client)
    assert client.patch(at(bill), {"payment_rules": RULES}).json() == bill | {"payment_rules": RULES}
    assert client.patch(at(bill), {"payment_rules": None}).json() == bill | {"payment_rules": RULES}
    missing = [f"/payment_rules/{member}" for member in RULES if member != "min_amount"]
    for send in (client.patch, client.merge):
        refused(send(at(bill), {"payment_rules": {"min_amount": 1}}), 400, *missing)
    assert "payment_rules" not in client.merge(at(bill), {"payment_rules": None}).json()
    assert "payment_rules" not in client.patch(at(bill), {"due_date": "2026-01-01"}).json()


@pytest.mark.parametrize(
    "member",
    [
        "id", "external_reference", "customer_id", "account_id", "status", "currency", "amount_due", "amount_paid",
        "amount_remaining", "bill_date",
    ],
)  # fmt: skip
def test_in_a_merge_patch_any_other_null_is_refused(client: Client, member: str) -> None:
    """1.1: a merge patch clears `due_date`, `payment_rules` or a metadata key; any other member refuses `null`."""
    bill = a_bill(client, account=an_account(client)["id"])
    refused(client.merge(at(bill), {member: None}), 400, f"/{member}")
    unchanged = client.patch(at(bill), {member: None})
    assert (unchanged.status, unchanged.json()) == (200, bill)


# Read-only members


@pytest.mark.parametrize("amount_paid", [0, 400, 1000, 1500])
@BOTH
def test_a_client_may_send_back_what_it_got(
    client: Client, database: Database, amount_paid: int, media_type: str
) -> None:
    """1.1: a read-only member is accepted where it equals what stands: nothing is changed, written or told."""
    made = a_bill(client, **FULL | {"payment_rules": OVER}, account=an_account(client)["id"])
    bill = client.patch(at(made), {"amount_paid": amount_paid})
    told = len(events(database, made))
    answer = client.patch(at(made), bill.json(), Content_Type=media_type)
    assert (answer.status, answer.json(), answer.etag) == (200, bill.json(), bill.etag)
    assert len(events(database, made)) == told


@BOTH
def test_a_client_may_send_back_what_it_got_with_a_change(client: Client, media_type: str) -> None:
    """1.1: `status` and `amount_remaining` are compared with what stands before the change."""
    bill = a_bill(client, **FULL, account=an_account(client)["id"])
    later = client.patch(at(bill), bill | {"due_date": "2027-01-01"}, Content_Type=media_type)
    assert (later.status, later.json()) == (200, bill | {"due_date": "2027-01-01"})
    paid = client.patch(at(bill), later.json() | {"amount_paid": 1000}, Content_Type=media_type)
    assert (paid.status, money(paid.json())) == (200, (1000, 0, "paid"))


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("id", ["bill_0000000000000000000000", "", 5, True, []]),
        ("external_reference", ["another", "", 5]),
        ("customer_id", ["bcus_0000000000000000000000", "", 5]),
        ("account_id", ["bacc_0000000000000000000000", "", 5]),
        ("amount_due", [2, 0, 1.0, "1", True]),
        ("bill_date", ["2026-01-02", "2026-01-01T00:00:00Z", "", 5]),
    ],
)
@BOTH
def test_what_never_changes_is_400_where_it_differs(
    client: Client, member: str, values: list[object], media_type: str
) -> None:
    """1.1: 400 for a read-only member that never changes; `true` and `1.0` are no 1."""
    bill = a_bill(client, **FULL, account=an_account(client)["id"], amount_due=1)
    for value in values:
        change = {member: value, "due_date": "2027-01-01"}
        refused(client.patch(at(bill), change, Content_Type=media_type), 400, f"/{member}")
    assert client.get(at(bill)).json() == bill


def test_a_bill_never_moves(client: Client) -> None:
    """4: `customer` and `account` are members of a create alone; `customer_id` and `account_id` never change."""
    account = an_account(client)
    bill, another = a_bill(client, customer=account["customer_id"]), a_customer(client)
    for change in (
        {"customer": bill["customer_id"]},
        {"customer": another["id"]},
        {"account": account["id"]},
        {"customer_id": another["id"]},
        {"customer_id": client.get(at(another)).json()["external_reference"]},
        {"account_id": account["id"]},
    ):
        refused(client.patch(at(bill), change), 400, *(f"/{member}" for member in change))
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize(
    ("amount_paid", "member", "values"),
    [
        (0, "status", ["paid", "voided"]),
        (1000, "status", ["unpaid", "voided"]),
        (0, "amount_remaining", [0, 999, 1001, MOST]),
        (400, "amount_remaining", [1000, 400, 0]),
        (1000, "amount_remaining", [1000, 1]),
    ],
)
@BOTH
def test_what_follows_from_others_is_409_where_it_differs(
    client: Client, amount_paid: int, member: str, values: list[object], media_type: str
) -> None:
    """1.1: 409 for a read-only member that does change (`status`, `amount_remaining`)."""
    bill = with_paid(client, amount_paid, **FULL)
    for value in values:
        for change in ({}, {"due_date": "2027-01-01"}, {"amount_paid": 1000 - amount_paid}):
            answer = client.patch(at(bill), {member: value} | change, Content_Type=media_type)
            refused(answer, 409, f"/{member}")
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize(
    ("amount_due", "amount_paid", "member", "values"),
    [
        (1, 0, "amount_remaining", [True, 1.0, "1", [], -1]),
        (1, 1, "amount_remaining", [False, 0.0, "", "0"]),
        (1, 0, "status", ["", "UNPAID", "Unpaid", 5, True, []]),
    ],
)
def test_what_only_resembles_it_is_refused(
    client: Client, amount_due: int, amount_paid: int, member: str, values: list[object]
) -> None:
    bill = client.patch(at(a_bill(client, amount_due=amount_due)), {"amount_paid": amount_paid}).json()
    for value in values:
        answer = client.patch(at(bill), {member: value, "due_date": "2027-01-01"})
        assert (answer.status in (400, 409), answer.pointers) == (True, [f"/{member}"]), answer.body
    assert client.get(at(bill)).json() == bill


# What is refused


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"amount_paid": -1, "status": "paid"}, ["/amount_paid"]),
        ({"amount_paid": 1001, "amount_remaining": 5}, ["/amount_paid"]),
        ({"amount_due": 5, "currency": "ZZZ", "amount_remaining": 5}, ["/amount_due", "/currency"]),
        ({"due_date": "2025-02-30", "amount_paid": "5", "wrong": 1}, ["/due_date", "/amount_paid", "/wrong"]),
        ({"metadata": {"a": 1}, "payment_rules": 5}, ["/metadata/a", "/payment_rules"]),
        ({"name": "x"}, ["/name"]),
        ({"balance": 5}, ["/balance"]),
        ({"created_at": None}, ["/created_at"]),
    ],
)
def test_every_fault_is_named_before_the_state_counts(client: Client, change: Json, pointers: list[str]) -> None:
    """1.1: validation, then state; 1.5: every fault found, not only the first."""
    refused(client.patch(at(a_bill(client)), change), 400, *pointers)


@pytest.mark.parametrize("change", [{}, {"amount_paid": 5}, {"amount_paid": -1}, {"wrong": 1}, b"{", b"[]"])
def test_a_patch_of_nothing_is_404(client: Client, change: object) -> None:
    """1.1: the path's object comes before validation."""
    for name in (a_reference(), "bill_0000000000000000000000", a_customer(client)["id"]):
        answer = client.patch(f"{BILLS}/{name}", change)
        assert (answer.status, answer.code) == (404, "not_found")


def test_a_refused_patch_changes_nothing_at_all(client: Client, database: Database) -> None:
    """1.5: a PATCH is done whole or not at all."""
    made = a_bill(client, **FULL)
    created = client.get(at(made))
    for change in (
        {"amount_paid": 5, "due_date": "x"},
        {"amount_paid": 1001, "due_date": "2027-01-01"},
        {"amount_paid": 5, "status": "paid"},
        {"currency": "USD", "amount_due": 5},
        {"amount_paid": 5, "wrong": 1},
    ):
        assert client.patch(at(made), change).status in (400, 409)
    got = client.get(at(made))
    assert (got.json(), got.etag) == (created.json(), created.etag)
    assert (len(events(database, made)), len(transfers(database, made))) == (1, 1)


# A PATCH that changes nothing


@pytest.mark.parametrize(
    "change",
    [
        {}, {"amount_paid": 0}, {"currency": "ZAR"}, {"due_date": "2026-01-31"}, {"payment_rules": RULES},
        {"payment_rules": dict(reversed(RULES.items()))}, {"metadata": {}}, {"metadata": {"a": "1"}}, FULL,
        {"status": "unpaid", "amount_remaining": 1000, "amount_due": 1000},
        {"amount_paid": 0, "currency": "ZAR", "bill_date": "2026-01-01"},
    ],
)  # fmt: skip
@BOTH
def test_a_patch_that_changes_nothing_writes_nothing(
    client: Client, database: Database, change: Json, media_type: str
) -> None:
    """2: a PATCH that changes nothing writes nothing and raises no event."""
    created = create_bill(client, **FULL)
    path, bill = created.header("Location"), created.json()
    state = "SELECT row_to_json(bill)::text, xmin::text FROM bill WHERE id = $1"
    before = database.rows(state, bill["id"])
    answer = client.patch(path, change, Content_Type=media_type)
    assert (answer.status, answer.json(), answer.etag) == (200, bill, created.etag)
    assert answer.header("Last-Modified") == created.header("Last-Modified")
    assert database.rows(state, bill["id"]) == before
    assert (len(events(database, bill)), len(transfers(database, bill))) == (1, 1)


@pytest.mark.parametrize("member", ["due_date", "payment_rules"])
def test_clearing_what_is_not_there_writes_nothing(client: Client, member: str) -> None:
    created = create_bill(client)
    path = created.header("Location")
    before = client.merge(path, {"payment_rules": None})
    answer = client.merge(path, {member: None, "metadata": {"never": None}})
    assert (answer.status, answer.json(), answer.etag) == (200, before.json(), before.etag)


# Events


def test_a_patch_raises_an_event_and_one_more_where_it_settles(client: Client, database: Database) -> None:
    """7: a PATCH raises `bill.updated`, and `bill.paid` where it settles; each shows the bill."""
    bill = a_bill(client, payment_rules=OVER)
    expected = [("bill.created", bill)]
    for change, types in (
        ({"amount_paid": 400}, ["bill.updated"]),
        ({"amount_paid": 1000}, ["bill.updated", "bill.paid"]),
        ({"amount_paid": 1000}, []),
        ({"amount_paid": 1200}, ["bill.updated"]),
        ({"due_date": "2026-01-31"}, ["bill.updated"]),
        ({"metadata": {"a": "1"}}, ["bill.updated"]),
        ({"amount_paid": 999}, ["bill.updated"]),
        ({"amount_paid": 1001, "due_date": "2026-02-28"}, ["bill.updated", "bill.paid"]),
        ({"amount_paid": 0}, ["bill.updated"]),
        ({"currency": "USD", "amount_paid": 1000}, ["bill.updated", "bill.paid"]),
    ):
        changed = client.patch(at(bill), change).json()
        expected += [(kind, changed) for kind in types]
    assert events(database, bill) == expected


def test_the_events_of_one_patch_are_told_in_their_order(client: Client, database: Database) -> None:
    """7: ids and times of the events of one bill never go back."""
    bill = with_paid(client, 1000)
    recorded = database.rows("SELECT type FROM event WHERE object_id = $1 ORDER BY recorded_at, id", bill["id"])
    assert [row["type"] for row in recorded] == ["bill.created", "bill.updated", "bill.paid"]


# Versions


def test_the_etag_changes_once_with_each_change(client: Client) -> None:
    """1.1: `ETag` is the object's version, however many events a change raises."""
    created = create_bill(client)
    path = created.header("Location")
    tags = [created.etag]
    for change in ({"amount_paid": 1000}, {"amount_paid": 0}, {"due_date": "2026-01-01"}, {"currency": "USD"}):
        tags.append(client.patch(path, change).etag)
        assert client.get(path).etag == tags[-1]
    assert len(set(tags)) == 5


def test_a_stale_if_match_is_412_before_all_else(client: Client) -> None:
    """1.1: `If-Match`, then validation, then state."""
    created = create_bill(client)
    path = created.header("Location")
    current = client.patch(path, {"amount_paid": 400})
    for change in ({"amount_paid": 5}, {"amount_paid": -1}, {"currency": "USD"}, {}, {"status": "paid"}):
        answer = client.patch(path, change, If_Match=created.etag)
        assert (answer.status, answer.code) == (412, "precondition_failed")
    assert client.get(path).json() == current.json()
    assert client.patch(path, {"amount_paid": 500}, If_Match=current.etag).json()["amount_paid"] == 500
    refused(client.patch(path, {"currency": "USD"}, If_Match=client.get(path).etag), 409, "/currency")


def test_concurrent_corrections_are_all_in_the_ledger(client: Client, database: Database) -> None:
    """4: each is absolute: the last one stands, and the transfers add up to it."""
    bill = a_bill(client)
    amounts = [*range(1, 59), 1000, 0]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: client.patch(at(bill), {"amount_paid": n}), amounts))
    assert {answer.status for answer in answers} == {200}
    assert [answer.json()["amount_paid"] for answer in answers] == amounts
    got, recorded = client.get(at(bill)).json(), transfers(database, bill)
    totals = [row[4] for row in recorded]
    assert totals == [sum(row[3] for row in recorded[: n + 1]) for n in range(len(recorded))]
    assert totals[-1] == got["amount_remaining"] == 1000 - got["amount_paid"]
    told = events(database, bill)
    assert told[-1][1] == got
    for (_, before), (kind, after) in pairwise(told):
        if kind == "bill.paid":
            assert (before, after["status"]) == (after, "paid")
