"""6: GET /billing/{customers|accounts|bills}/{x}/entries: every change to what is owed, newest first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    ACCOUNTS,
    BILL,
    BILLS,
    CUSTOMER,
    CUSTOMERS,
    EVERY_NOUN,
    REFUND,
    REVERSAL,
    RULES,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    as_it_stands,
    at,
    entries,
    iso,
    moment,
    pay,
    refused,
)
from tests.contract.service import Database, Service

OVER: Final = RULES | {"overpayment_allowed": True}
CAUSES: Final = [
    "opening", "balance_set", "bill_raised", "correction", "currency_changed", "void", "payment", "refund", "reversal",
]  # fmt: skip
STEP: Final = timedelta(microseconds=1)


def listed(client: Client, thing: Json, **query: Any) -> Answer:
    return client.get(f"{at(thing)}/entries?{urlencode(query)}")


def told(client: Client, thing: Json, **query: Any) -> list[tuple[str, int, int, str]]:
    """Return cause, amount, total and currency of the entries, oldest first."""
    found = entries(client, thing, **query)[::-1]
    return [(entry["cause"], entry["amount"], entry["total_after"], entry["currency"]) for entry in found]


def causes(client: Client, thing: Json, **query: Any) -> list[str]:
    return [entry["cause"] for entry in entries(client, thing, **query)]


# What they show


def test_an_entry_shows_what_changed_and_why(client: Client) -> None:
    """6: each member, and those that are not set are absent; newest first."""
    bill = a_bill(client)
    payment = a_payment(client, 1000, bill=bill["id"])
    refund = REFUND.make(client, payment, amount=300)
    reversal = REVERSAL.make(client, payment, amount=200)
    found = entries(client, bill)
    expected = [
        {"amount": 200, "total_after": 500, "cause": "reversal", "payment_id": payment["id"],
         "reversal_id": reversal["id"]},
        {"amount": 300, "total_after": 300, "cause": "refund", "payment_id": payment["id"], "refund_id": refund["id"]},
        {"amount": -1000, "total_after": 0, "cause": "payment", "payment_id": payment["id"]},
        {"amount": 1000, "total_after": 1000, "cause": "bill_raised"},
    ]  # fmt: skip
    for entry, members in zip(found, expected, strict=True):
        own = {name: entry[name] for name in ("id", "occurred_at", "recorded_at")}
        assert entry == {"currency": "ZAR"} | members | own
        assert entry["occurred_at"] == entry["recorded_at"]
    assert len({entry["id"] for entry in found}) == 4
    recorded = [moment(entry["recorded_at"]) for entry in found]
    assert recorded == sorted(set(recorded), reverse=True)


@EVERY_NOUN
def test_an_object_has_its_first_entry_as_soon_as_anything_is_owed(client: Client, noun: Noun) -> None:
    thing = noun.make(client, **({} if noun is BILL else {"currency": "ZAR", "balance": 1000}))
    cause = "bill_raised" if noun is BILL else "opening"
    for name in ("id", "external_reference"):
        answer = client.get(f"{noun.path}/{thing[name]}/entries")
        (entry,) = answer.json()["data"]
        assert (answer.status, entry["cause"], entry["amount"], entry["total_after"]) == (200, cause, 1000, 1000)
        assert [answer.headers.get(name) for name in ("Next-Cursor", "Prev-Cursor", "ETag")] == [None] * 3


def test_what_never_owed_anything_has_none(client: Client) -> None:
    for thing in (a_customer(client), a_customer(client, currency="ZAR"), an_account(client)):
        assert entries(client, thing) == []


def test_every_cause_of_a_balance_is_told(client: Client) -> None:
    """6: `opening`, `balance_set`, `payment`, `refund`, `reversal`; an opening may be of nothing."""
    account = an_account(client, currency="ZAR", balance=0, payment_rules=OVER)
    client.patch(at(account), {"balance": 700})
    payment = a_payment(client, 900, account=account["id"])
    client.patch(at(account), {"balance": 50})
    REFUND.make(client, payment, amount=100)
    REVERSAL.make(client, payment)
    client.patch(at(account), {"name": "New"})
    assert told(client, account) == [
        ("opening", 0, 0, "ZAR"),
        ("balance_set", 700, 700, "ZAR"),
        ("payment", -900, -200, "ZAR"),
        ("balance_set", 250, 50, "ZAR"),
        ("refund", 100, 150, "ZAR"),
        ("reversal", 800, 950, "ZAR"),
    ]
    assert as_it_stands(client, account)["balance"] == 950


def test_every_cause_of_a_bill_is_told(client: Client) -> None:
    """6: `bill_raised`, `currency_changed`, `correction`, `void` too."""
    bill = a_bill(client)
    client.patch(at(bill), {"currency": "USD"})
    payment = a_payment(client, 400, bill=bill["id"], currency="USD")
    client.patch(at(bill), {"amount_paid": 700})
    client.patch(at(bill), {"amount_paid": 400})
    REFUND.make(client, payment)
    client.send("POST", f"{at(bill)}/void")
    assert told(client, bill) == [
        ("bill_raised", 1000, 1000, "ZAR"),
        ("currency_changed", -1000, 0, "ZAR"),
        ("currency_changed", 1000, 1000, "USD"),
        ("payment", -400, 600, "USD"),
        ("correction", -300, 300, "USD"),
        ("correction", 300, 600, "USD"),
        ("refund", 400, 1000, "USD"),
        ("void", -1000, 0, "USD"),
    ]


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
def test_a_total_runs_before_anybody_tracks_it(client: Client, noun: Noun) -> None:
    """6: where a balance is not tracked but a currency is set, the total still runs; tracking later starts from it."""
    thing = noun.make(client, currency="ZAR")
    a_payment(client, 300, **{noun.name: thing["id"]})
    client.patch(at(thing), {"balance": 500})
    assert told(client, thing) == [("payment", -300, -300, "ZAR"), ("opening", 800, 500, "ZAR")]


def test_a_payment_keeps_when_it_was_paid(client: Client) -> None:
    """6: `paid_at` in the past is kept as `occurred_at`; entries stand in the order of their recording."""
    bill = a_bill(client)
    late = a_payment(client, 100, bill=bill["id"], paid_at="2026-01-31T09:30:00Z")
    early = a_payment(client, 100, bill=bill["id"], paid_at="2025-12-31T00:00:00.000001Z")
    REVERSAL.make(client, late, occurred_at="2026-02-02T00:00:00Z")
    found = entries(client, bill)
    assert [entry["payment_id"] for entry in found[:3]] == [late["id"], early["id"], late["id"]]
    assert [moment(entry["occurred_at"]) for entry in found[:3]] == [
        datetime.fromisoformat(time)
        for time in ("2026-02-02T00:00:00Z", "2025-12-31T00:00:00.000001Z", "2026-01-31T09:30:00Z")
    ]
    assert moment(found[1]["recorded_at"]) - moment(early["created_at"]) < timedelta(seconds=1)


def test_who_did_it_and_why_is_shown(client: Client) -> None:
    """1.8, 6: `actor` and `reason`, as they came, each where it was given."""
    account = an_account(client, currency="ZAR", balance=100)
    words = [{"Owed_Actor": "mary@acme", "Owed_Reason": "See #12; <b>"}, {"Owed_Actor": "john"}, {"Owed_Reason": "Why"}]
    for number, headers in enumerate(words):
        client.patch(at(account), {"balance": number}, **headers)
    body = {"amount": 1, "currency": "ZAR", "account": account["id"]}
    paid = client.post("/billing/payments", body, Idempotency_Key=a_key(), Owed_Actor="till 4", Owed_Reason="Cash")
    client.post(REFUND.at(paid.json()), {"reason": "Goodwill"}, Idempotency_Key=a_key(), Owed_Actor="boss")
    assert [(entry.get("actor"), entry.get("reason")) for entry in entries(client, account)] == [
        ("boss", None),
        ("till 4", "Cash"),
        (None, "Why"),
        ("john", None),
        ("mary@acme", "See #12; <b>"),
        (None, None),
    ]


def test_one_payment_of_many_has_an_entry_on_each(client: Client) -> None:
    """6: each obligation has entries of its own, and a bill moves no balance."""
    customer = a_customer(client, currency="ZAR", balance=500)
    bill = a_bill(client, customer=customer["id"])
    targets = [{"bill": bill["id"], "amount": 1000}, {"customer": customer["id"], "amount": 200}]
    payment = a_payment(client, 1200, applications=targets)
    assert told(client, bill, cause="payment") == [("payment", -1000, 0, "ZAR")]
    assert told(client, customer, cause="payment") == [("payment", -200, 300, "ZAR")]
    for thing in (bill, customer):
        assert entries(client, thing)[0]["payment_id"] == payment["id"]


def test_entries_are_what_the_ledger_holds(client: Client, two_workers: Service, database: Database) -> None:
    """6: every change is one transfer, also under contention: none is missing, none is shown twice."""
    caller = two_workers.client(client.key)
    account = an_account(client, currency="ZAR", balance=0, payment_rules=OVER)
    with ThreadPoolExecutor(10) as pool:
        assert {answer.status for answer in pool.map(lambda n: pay(caller, 100, account=account["id"]), range(20))} == {
            201
        }
    caller.close()
    kept = "SELECT id, amount, total_after FROM transfer WHERE obligation_id = $1 ORDER BY version DESC"
    found = [(entry["id"], entry["amount"], entry["total_after"]) for entry in entries(client, account)]
    assert found == [tuple(row) for row in database.rows(kept, account["id"])]
    assert found[0][2] == as_it_stands(client, account)["balance"] == -2000


# Pages


@pytest.fixture(scope="module")
def seven(client: Client) -> Json:
    """An account with seven entries, made by two, at different times."""
    account = an_account(client, currency="ZAR", balance=1000)
    for number in range(5):
        client.patch(at(account), {"balance": 1100 + number}, Owed_Actor="mary" if number % 2 else "john")
    a_payment(client, 100, account=account["id"], paid_at="2026-01-31T09:30:00Z")
    return account


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
def test_pages_go_forward_and_back_through_everything(client: Client, seven: Json, limit: int) -> None:
    """1.6: `Next-Cursor` and `Prev-Cursor`, absent at the ends."""
    pages = [listed(client, seven, limit=limit)]
    assert "Prev-Cursor" not in pages[0].headers
    while cursor := pages[-1].headers.get("Next-Cursor"):
        pages.append(listed(client, seven, limit=limit, cursor=cursor))
    back = [pages[-1]]
    while cursor := back[-1].headers.get("Prev-Cursor"):
        back.append(listed(client, seven, limit=limit, cursor=cursor))
    found = [page.json()["data"] for page in pages]
    assert [page.json()["data"] for page in back] == found[::-1]
    assert [entry for page in found for entry in page] == entries(client, seven)
    assert all(len(page) == limit for page in found[:-1])


def test_the_default_limit_is_20_and_pages_stay_right(client: Client) -> None:
    """1.6: pages stay right while rows are added; `Link` leads where the cursor does."""
    account = an_account(client, currency="ZAR", balance=0)
    for number in range(1, 25):
        client.patch(at(account), {"balance": number})
    first = listed(client, account)
    client.patch(at(account), {"balance": 99})
    second = listed(client, account, cursor=first.header("Next-Cursor"))
    shown = [entry["total_after"] for answer in (first, second) for entry in answer.json()["data"]]
    assert (len(first.json()["data"]), shown) == (20, list(range(24, -1, -1)))
    target = first.header("Link").partition(">")[0].removeprefix("<")
    assert client.get(target[target.index(ACCOUNTS) :]).json() == second.json()
    before = listed(
        client,
        account,
        cursor=listed(client, account, limit=1, cursor=first.header("Next-Cursor")).header("Prev-Cursor"),
    )
    assert before.json()["data"][-20:] == first.json()["data"]


def test_a_cursor_belongs_to_its_object_and_its_filters(client: Client, other: Client, seven: Json) -> None:
    """1.6: a cursor belongs to its merchant, mode, route and filters: any other gets 400."""
    cursor = listed(client, seven, limit=2).header("Next-Cursor")
    another = an_account(client, currency="ZAR", balance=1)
    for thing, query in ((another, {}), (seven, {"cause": "payment"}), (seven, {"actor": "mary"})):
        refused(listed(client, thing, limit=2, cursor=cursor, **query), 400, "query: cursor")
    refused(client.get(f"{ACCOUNTS}?limit=2&cursor={cursor}"), 400, "query: cursor")
    stranger = an_account(other, currency="ZAR", balance=1)
    refused(listed(other, stranger, limit=2, cursor=cursor), 400, "query: cursor")
    assert len(listed(client, seven, limit=5, cursor=cursor).json()["data"]) == 5
    filtered = listed(client, seven, limit=1, actor="mary").header("Next-Cursor")
    assert len(listed(client, seven, limit=1, actor="mary", cursor=filtered).json()["data"]) == 1
    refused(listed(client, seven, limit=1, cursor=filtered), 400, "query: cursor")


# Filters


@pytest.mark.parametrize("cause", CAUSES)
def test_they_are_found_by_their_cause(client: Client, seven: Json, cause: str) -> None:
    """6: filters by cause; one that nothing has gives an empty page."""
    expected = [entry for entry in entries(client, seven) if entry["cause"] == cause]
    assert entries(client, seven, cause=cause) == expected
    assert len(expected) == {"opening": 1, "balance_set": 5, "payment": 1}.get(cause, 0)


def test_they_are_found_by_who_did_it(client: Client, seven: Json) -> None:
    """6: filters by actor: the whole of the words, as they are."""
    everything = entries(client, seven)
    for actor, count in (("mary", 2), ("john", 3), ("Mary", 0), ("mar", 0), ("nobody at all", 0)):
        expected = [entry for entry in everything if entry.get("actor") == actor]
        assert (entries(client, seven, actor=actor), len(expected)) == (expected, count)
    assert causes(client, seven, actor="mary", cause="payment") == []
    assert entries(client, seven, actor="john", cause="balance_set") == entries(client, seven, actor="john")


def test_words_of_any_kind_may_be_asked_for(client: Client) -> None:
    account = an_account(client, currency="ZAR", balance=0)
    actor = """<b>"x"</b>'; DROP TABLE transfer; -- %s {}"""
    client.patch(at(account), {"balance": 1}, Owed_Actor=actor)
    assert [entry["actor"] for entry in entries(client, account, actor=actor)] == [actor]


@pytest.mark.parametrize("member", ["recorded", "occurred"])
def test_times_are_exclusive_bounds(client: Client, seven: Json, member: str) -> None:
    """1.6: exclusive, to the microsecond; in the order of recording, whichever time is asked for."""
    everything = entries(client, seven)
    times = [moment(entry[f"{member}_at"]) for entry in everything]
    middle = times[3]
    for after, before in (
        (middle, None), (None, middle),
        (middle - STEP, middle + STEP), (middle, middle + STEP), (middle - STEP, middle),
        (None, times[0] + STEP), (times[-1] - STEP, times[0] + STEP), (times[1], times[5]), (times[5], times[1]),
        (datetime.fromisoformat("1970-01-01T00:00:00Z"), datetime.fromisoformat("9999-12-31T23:59:59Z")),
    ):  # fmt: skip
        query = {f"{member}_after": after, f"{member}_before": before}
        found = entries(client, seven, **{name: iso(time) for name, time in query.items() if time})
        inside = [(after is None or time > after) and (before is None or time < before) for time in times]
        assert found == [entry for entry, is_inside in zip(everything, inside, strict=True) if is_inside]


@pytest.fixture(scope="module")
def first(client: Client) -> Json:
    """A bill with a payment of the first second that there is."""
    bill = a_bill(client)
    a_payment(client, 100, bill=bill["id"], paid_at="1970-01-01T00:00:00Z")
    return bill


@pytest.mark.parametrize("early", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z"])
def test_what_occurred_first_is_after_any_earlier_time(client: Client, first: Json, early: str) -> None:
    """1.6: exclusive bounds; a time that nothing can have is a bound like any other."""
    everything = entries(client, first)
    assert entries(client, first, occurred_after=early, recorded_after=early) == everything
    assert entries(client, first, occurred_before=early) == entries(client, first, recorded_before=early) == []
    assert entries(client, first, occurred_before="1970-01-01T00:00:00.000001Z") == everything[:1]


@pytest.mark.parametrize("late", ["9999-12-31T23:59:59.999999Z", "2999-01-01T00:00:00Z"])
def test_what_was_recorded_last_is_before_any_later_time(client: Client, first: Json, late: str) -> None:
    """1.1: nothing a client sends may cause a 500, not even the last microsecond."""
    assert entries(client, first, occurred_before=late, recorded_before=late) == entries(client, first)
    assert entries(client, first, occurred_after=late) == entries(client, first, recorded_after=late) == []


def test_filters_all_hold_at_once_on_every_page(client: Client, seven: Json) -> None:
    """1.6: several filters all hold at once."""
    everything = entries(client, seven)
    query = {
        "cause": "balance_set",
        "recorded_after": everything[-2]["recorded_at"],
        "occurred_after": "2020-01-01T00:00:00Z",
    }
    expected = [entry for entry in everything[:-2] if entry["cause"] == "balance_set"]
    assert len(expected) == 4
    page = listed(client, seven, limit=3, **query)
    rest = listed(client, seven, limit=3, cursor=page.header("Next-Cursor"), **query)
    assert page.json()["data"] + rest.json()["data"] == expected
    assert "Next-Cursor" not in rest.headers
    assert entries(client, seven, occurred_before="2026-02-01T00:00:00Z") == everything[:1]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *((f"cause={value}", "cause") for value in ("", "Payment", "paid", "payment,refund", "null", "%00", "%FF")),
        *((f"actor={value}", "actor") for value in ("", "x" * 256, "%00", "%FF", "a%0Ab")),
        *(
            (f"{name}={value}", name)
            for name in ("recorded_after", "recorded_before", "occurred_after", "occurred_before")
            for value in ("", "x", "2026-01-31", "2026-01-31T09:30:00", "2026-02-30T00:00:00Z", "2026-01-31T09:30Z")
        ),
        *((f"limit={value}", "limit") for value in ("0", "101", "x", "")),
        ("cursor=x", "cursor"),
        ("as_of=2026-01-31T09:30:00Z", "as_of"),
        ("reason=x", "reason"),
        ("payment_id=x", "payment_id"),
        ("metadata[a]=b", "metadata[a]"),
        ("cause=payment&cause=refund", "cause"),
        ("actor=a&actor=a", "actor"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_400(client: Client, seven: Json, query: str, name: str) -> None:
    """1.1: a query parameter that is unknown, given twice or malformed is 400, and named."""
    refused(client.get(f"{at(seven)}/entries?{query}"), 400, f"query: {name}")


def test_each_faulty_parameter_is_named(client: Client, seven: Json) -> None:
    query = "cause=x&actor=&recorded_after=x&occurred_before=x&limit=0&sort=amount"
    names = [pair.partition("=")[0] for pair in query.split("&")]
    refused(client.get(f"{at(seven)}/entries?{query}"), 400, *(f"query: {name}" for name in names))


# Whose they are


@EVERY_NOUN
def test_entries_of_nothing_are_not_found(client: Client, noun: Noun) -> None:
    """1.5: 404 `not_found`, before validation."""
    strange = [a_reference(), f"{noun.prefix}0000000000000000000000", "a%20b", "%00", quote("é")]
    others = {CUSTOMERS: a_bill, ACCOUNTS: a_customer, BILLS: a_customer}[noun.path](client)["id"]
    for name in (*strange, others):
        for query in ("", "?limit=0&wrong=1"):
            answer = client.get(f"{noun.path}/{name}/entries{query}")
            assert (answer.status, answer.code) == (404, "not_found"), name


@EVERY_NOUN
def test_who_may_see_them(
    client: Client, live: Client, other: Client, public: Client, anonymous: Client, noun: Noun
) -> None:
    """1.2: only its merchant, in its mode, with a secret key."""
    thing = noun.make(client)
    for name in ("id", "external_reference"):
        path = f"{noun.path}/{thing[name]}/entries"
        statuses = [caller.get(path).status for caller in (client, live, other, public, anonymous)]
        assert statuses == [200, 404, 404, 403, 401]


@EVERY_NOUN
def test_they_are_never_changed(client: Client, noun: Noun) -> None:
    """6: appended and never changed: 405 with `Allow`; one entry has no place of its own."""
    path = f"{at(noun.make(client))}/entries"
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        answer = client.send(method, path, b"{}", {"Content-Type": "application/json"})
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert set(answer.header("Allow").replace(" ", "").split(",")) == {"GET", "HEAD"}
    assert client.get(f"{path}/tra_0000000000000000000000").status == 404
