"""1.6 and 6: GET /billing/payments, its pages and its filters."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    BILL,
    CUSTOMER,
    OPEN_RULES,
    PAYMENTS,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    at,
    on,
    owing,
    refused,
)
from tests.contract.service import Database, Merchant, Service

STEP: Final = timedelta(microseconds=1)
STATUSES: Final = ["succeeded", "partially_refunded", "refunded", "partially_reversed", "reversed"]


@pytest.fixture(scope="module")
def lister(service: Service, fresh_merchant: Merchant) -> Client:
    """A caller whose merchant has only the payments of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


def listed(client: Client, **query: Any) -> Answer:
    return client.get(f"{PAYMENTS}?{urlencode(query, doseq=True)}")


def data(answer: Answer) -> list[Json]:
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"data"}
    found: list[Json] = answer.json()["data"]
    return found


def names(payments: Iterable[Json]) -> list[str]:
    return [payment["id"] for payment in payments]


def found(client: Client, **query: Any) -> list[str]:
    """Return the ids of the payments that a query finds."""
    return names(data(listed(client, **query)))


def both_ways(client: Client, limit: int, **query: Any) -> list[Json]:
    """Read every page on from the newest, then back again, and return all; a page never has other neighbours."""
    pages = [listed(client, limit=limit, **query)]
    assert "Prev-Cursor" not in pages[0].headers
    while cursor := pages[-1].headers.get("Next-Cursor"):
        pages.append(listed(client, limit=limit, cursor=cursor, **query))
    back = [pages[-1]]
    while cursor := back[-1].headers.get("Prev-Cursor"):
        back.append(listed(client, limit=limit, cursor=cursor, **query))
    assert [data(page) for page in back] == [data(page) for page in reversed(pages)]
    assert "Next-Cursor" not in back[0].headers
    assert all(len(data(page)) == limit for page in pages[:-1])
    return [payment for page in pages for payment in data(page)]


def take_back(client: Client, payment: Json, what: str, **members: Any) -> Json:
    """Refund or reverse a payment, and return it as it then is."""
    reason = {"reason": "dishonoured"} if what == "reversals" else {}
    answer = client.post(f"{at(payment)}/{what}", reason | members, Idempotency_Key=a_key())
    assert answer.status == 201, answer.body
    after: Json = client.get(at(payment)).json()
    return after


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# Pages


@pytest.fixture(scope="module")
def seven(lister: Client) -> list[Json]:
    """Seven payments of one bill, newest first; they were paid in another order."""
    bill, tag = a_bill(lister), a_reference()
    days = [5, 1, 31, 5, 30, 2, 5]
    return [
        a_payment(lister, paid_at=f"2020-01-{day:02}T12:00:00Z", metadata={"tag": tag}, channel="seven", **on(bill))
        for day in days
    ][::-1]


def test_a_list_shows_each_payment_as_a_retrieve_does_newest_first(lister: Client) -> None:
    """1.6: body `{"data": [...]}`; newest first, in the order in which they were recorded."""
    customer = owing(lister, CUSTOMER)
    bill = a_bill(lister, customer=customer["id"])
    parts = [{**on(bill), "amount": 5}, {**on(customer), "amount": 6}]
    payments = [a_payment(lister, external_reference=a_reference(), metadata={"a": "1"}, **on(bill))]
    payments = [a_payment(lister, 11, applications=parts, channel="bank"), *payments]
    payments = [take_back(lister, a_payment(lister, **on(customer)), "refunds", amount=40), *payments]
    payments = [a_payment(lister, paid_at="1999-01-01T00:00:00Z", **on(customer)), *payments]
    assert data(listed(lister, customer=customer["id"])) == payments
    assert [lister.get(at(payment)).json() for payment in payments] == payments


@pytest.mark.parametrize("limit", [1, 3, 6, 7, 100])
@pytest.mark.parametrize("query", ["bill", "customer", "channel", "paid_before", "metadata[tag]"])
def test_pages_go_forward_and_back_through_everything(
    lister: Client, seven: list[Json], limit: int, query: str
) -> None:
    """1.6: `Next-Cursor` and `Prev-Cursor`, absent at the ends; each row is seen once, in either direction."""
    own = {"metadata[tag]": seven[0]["metadata"]["tag"]}
    filters: dict[str, Json] = {
        "bill": {"bill": seven[0]["bill_id"]},
        "customer": {"customer": lister.get(f"/billing/bills/{seven[0]['bill_id']}").json()["customer_id"]},
        "channel": {"channel": "seven"},
        "paid_before": {"paid_before": "2020-02-01T00:00:00Z", **own},
        "metadata[tag]": own,
    }
    assert both_ways(lister, limit, **filters[query]) == seven


def test_the_default_limit_is_20(lister: Client) -> None:
    """1.6: `?limit=` (1 to 100, default 20)."""
    customer = a_customer(lister, currency="ZAR")
    payments = names([a_payment(lister, **on(customer)) for _ in range(21)])[::-1]
    answer = listed(lister, **on(customer))
    assert names(data(answer)) == payments[:20]
    assert found(lister, **on(customer), cursor=answer.header("Next-Cursor")) == payments[20:]
    assert found(lister, **on(customer), limit=100) == payments


def test_links_keep_the_filters(lister: Client, seven: list[Json]) -> None:
    """1.6: also RFC 8288 `Link` headers."""
    answer = listed(lister, bill=seven[0]["bill_id"], paid_after="2020-01-01T12:00:00Z", limit=3)
    target = answer.header("Link").partition(">")[0].removeprefix("<")
    following = lister.get(target[target.index(PAYMENTS) :])
    assert data(answer) + data(following) == [payment for payment in seven if payment["paid_at"] > "2020-01-02"]


def test_pages_stay_right_while_payments_are_made_and_taken_back(lister: Client) -> None:
    """1.6: pages stay right while rows are added; what no longer matches is on no later page."""
    customer = a_customer(lister, currency="ZAR")
    old = [a_payment(lister, **on(customer)) for _ in range(6)][::-1]
    query = {**on(customer), "status": "succeeded", "limit": 2}
    first = listed(lister, **query)
    a_payment(lister, paid_at="2001-01-01T00:00:00Z", **on(customer))
    take_back(lister, old[3], "refunds", amount=1)
    second = listed(lister, **query, cursor=first.header("Next-Cursor"))
    assert data(first) + data(second) == [old[0], old[1], old[2], old[4]]
    assert found(lister, **query, cursor=second.header("Prev-Cursor")) == names(old[:2])


def test_a_list_of_nothing_is_empty_and_has_no_etag(
    service: Service, fresh_merchant: Merchant, lister: Client, seven: list[Json]
) -> None:
    """1.6: the headers are absent at the ends; 1.1: lists have no ETag."""
    answer = listed(service.client(fresh_merchant.keys["sk"]))
    assert data(answer) == []
    assert [answer.headers.get(name) for name in ("Next-Cursor", "Prev-Cursor", "Link", "ETag")] == [None] * 4
    full = lister.get(f"{PAYMENTS}?bill={seven[0]['bill_id']}", If_None_Match="*")
    assert (full.status, full.headers.get("ETag"), full.headers.get("Last-Modified")) == (200, None, None)


# Cursors


def test_a_cursor_belongs_to_its_filters(lister: Client, seven: list[Json]) -> None:
    """1.6: a cursor belongs to its merchant, mode, route and filters; any other gets 400."""
    own = {"bill": seven[0]["bill_id"], "limit": 2}
    cursor = listed(lister, **own).header("Next-Cursor")
    assert found(lister, **own, cursor=cursor) == names(seven[2:4])
    assert found(lister, **own | {"limit": 5}, cursor=cursor) == names(seven[2:7])
    for more in (
        {"paid_before": "2026-01-01T00:00:00Z"},
        {"paid_after": "2019-01-01T00:00:00Z"},
        {"status": "succeeded"},
        {"channel": "seven"},
        {"metadata[tag]": seven[0]["metadata"]["tag"]},
    ):
        refused(listed(lister, **own, **more, cursor=cursor), 400, "query: cursor")
    for query in ({}, {"account": own["bill"]}, {"bill": "another"}):
        refused(listed(lister, **query, limit=2, cursor=cursor), 400, "query: cursor")


def test_a_cursor_belongs_to_its_route_merchant_and_mode(
    service: Service, fresh_merchant: Merchant, lister: Client, other: Client, seven: list[Json]
) -> None:
    cursor = listed(lister, limit=2).header("Next-Cursor")
    bills = lister.get("/billing/bills?limit=1").headers.get("Next-Cursor")
    for place in ("customers", "accounts", "bills"):
        refused(lister.get(f"/billing/{place}?limit=2&cursor={cursor}"), 400, "query: cursor")
    refused(listed(lister, limit=2, cursor=bills or cursor[::-1]), 400, "query: cursor")
    refused(lister.get(f"{at(seven[0])}/refunds?limit=2&cursor={cursor}"), 400, "query: cursor")
    for stranger in (other, service.client(fresh_merchant.keys["sk"])):
        refused(listed(stranger, limit=2, cursor=cursor), 400, "query: cursor")


# Filters, each alone and together


@pytest.fixture(scope="module")
def some(lister: Client) -> dict[str, Json]:
    """Payments that differ in what a list can be filtered by. All have the metadata key `some`."""
    mary = owing(lister, CUSTOMER, external_reference="MARY")
    flat = owing(lister, ACCOUNT, external_reference="FLAT-7", customer=mary["id"])
    house = owing(lister, ACCOUNT, external_reference="HOUSE", customer=mary["id"])
    zoe = owing(lister, CUSTOMER, external_reference="zoe_7")
    inv = owing(lister, BILL, external_reference="INV-1", customer=mary["id"])
    rent = owing(lister, BILL, external_reference="RENT", account=flat["id"])

    def payment(thing: Json, **members: Any) -> Json:
        metadata = {"some": "x"} | members.pop("metadata", {})
        return a_payment(lister, metadata=metadata, **on(thing), **members)

    both = [{**on(rent), "amount": 5}, {**on(zoe), "amount": 6}, {**on(house), "amount": 7}]
    made = {
        "inv": payment(inv, channel="bank", method="eft", external_reference="R-1", paid_at="2024-01-31T00:00:00Z"),
        "rent": payment(rent, channel="shop", method="cash", external_reference="R-1"),
        "flat": payment(flat, channel="bank", external_reference="r-1", metadata={"run": "jan"}),
        "mary": payment(mary, method="cash", paid_at="2024-02-29T12:00:00.5Z", metadata={"run": "feb"}),
        "zoe": payment(zoe, external_reference="R-1", paid_at="1970-01-01T00:00:00Z", metadata={"run": "jan"}),
        "both": a_payment(lister, 18, applications=both, channel="shop", method="eft", metadata={"some": "x"}),
        "refunded": payment(flat, channel="bank", paid_at="2024-02-01T00:00:00Z"),
        "part": payment(zoe, channel="bank"),
        "reversed": payment(house, method="debit_order"),
        "bounced": payment(inv, method="debit_order", channel="bank"),
    }
    made["refunded"] = take_back(lister, made["refunded"], "refunds")
    made["part"] = take_back(lister, made["part"], "refunds", amount=99)
    made["reversed"] = take_back(lister, made["reversed"], "reversals")
    made["bounced"] = take_back(lister, made["bounced"], "reversals", amount=1)
    return made


EVERY: Final = ["bounced", "reversed", "part", "refunded", "both", "zoe", "mary", "flat", "rent", "inv"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, EVERY),
        ({"bill": "INV-1"}, ["bounced", "inv"]),
        ({"bill": "RENT"}, ["both", "rent"]),
        ({"bill": "inv-1"}, []),
        ({"bill": "FLAT-7"}, []),
        ({"account": "FLAT-7"}, ["refunded", "both", "flat", "rent"]),
        ({"account": "HOUSE"}, ["reversed", "both"]),
        ({"account": "MARY"}, []),
        ({"customer": "MARY"}, ["bounced", "reversed", "refunded", "both", "mary", "flat", "rent", "inv"]),
        ({"customer": "zoe_7"}, ["part", "both", "zoe"]),
        ({"customer": "FLAT-7"}, []),
        ({"customer": "MARY", "account": "FLAT-7"}, ["refunded", "both", "flat", "rent"]),
        ({"customer": "zoe_7", "account": "HOUSE"}, ["both"]),
        ({"customer": "zoe_7", "bill": "INV-1"}, []),
        ({"account": "HOUSE", "bill": "RENT"}, ["both"]),
        ({"channel": "bank"}, ["bounced", "part", "refunded", "flat", "inv"]),
        ({"channel": "shop"}, ["both", "rent"]),
        ({"channel": "post"}, []),
        ({"method": "cash"}, ["mary", "rent"]),
        ({"method": "debit_order"}, ["bounced", "reversed"]),
        ({"method": "bank"}, []),
        ({"channel": "shop", "method": "eft"}, ["both"]),
        ({"status": "succeeded"}, ["both", "zoe", "mary", "flat", "rent", "inv"]),
        ({"status": "refunded"}, ["refunded"]),
        ({"status": "partially_refunded"}, ["part"]),
        ({"status": "reversed"}, ["reversed"]),
        ({"status": "partially_reversed"}, ["bounced"]),
        ({"status": "succeeded", "channel": "bank"}, ["flat", "inv"]),
        ({"status": "succeeded", "customer": "MARY", "method": "cash"}, ["mary", "rent"]),
        ({"status": "reversed", "account": "HOUSE"}, ["reversed"]),
        ({"status": "reversed", "account": "FLAT-7"}, []),
        ({"external_reference": "R-1"}, ["zoe", "rent", "inv"]),
        ({"external_reference": "r-1"}, ["flat"]),
        ({"external_reference": "R"}, []),
        ({"external_reference": "R-1", "channel": "shop"}, ["rent"]),
        ({"external_reference": "R-1", "channel": "post"}, []),
        ({"external_reference": "R-1", "customer": "MARY"}, ["rent", "inv"]),
        ({"external_reference": "R-1", "status": "succeeded", "paid_before": "2024-01-01T00:00:00Z"}, ["zoe"]),
        ({"paid_before": "2024-03-01T00:00:00Z"}, ["refunded", "zoe", "mary", "inv"]),
        ({"paid_before": "2024-02-29T12:00:00.5Z"}, ["refunded", "zoe", "inv"]),
        ({"paid_before": "2024-02-29T12:00:00.500001Z"}, ["refunded", "zoe", "mary", "inv"]),
        ({"paid_before": "1970-01-01T00:00:00Z"}, []),
        ({"paid_after": "1969-12-31T23:59:59Z", "paid_before": "2000-01-01T00:00:00Z"}, ["zoe"]),
        ({"paid_after": "0001-01-01T00:00:00Z", "paid_before": "9999-12-31T23:59:59Z"}, EVERY),
        ({"paid_before": "1970-01-01T00:00:00.000001Z"}, ["zoe"]),
        ({"paid_after": "2024-01-31T00:00:00Z", "paid_before": "2024-03-01T00:00:00Z"}, ["refunded", "mary"]),
        ({"paid_after": "2024-01-30T23:59:59.999999Z", "paid_before": "2024-02-01T00:00:00Z"}, ["inv"]),
        ({"paid_after": "2024-03-01T00:00:00Z", "paid_before": "2024-01-01T00:00:00Z"}, []),
        ({"paid_after": "2024-03-01T00:00:00Z"}, ["bounced", "reversed", "part", "both", "flat", "rent"]),
        ({"paid_after": "2999-01-01T00:00:00Z"}, []),
        ({"paid_before": "2024-03-01T00:00:00Z", "status": "succeeded"}, ["zoe", "mary", "inv"]),
        ({"paid_before": "2024-03-01T00:00:00Z", "customer": "MARY"}, ["refunded", "mary", "inv"]),
        ({"paid_before": "2024-03-01T00:00:00Z", "channel": "bank"}, ["refunded", "inv"]),
        ({"paid_after": "2024-03-01T00:00:00Z", "account": "FLAT-7"}, ["both", "flat", "rent"]),
        ({"created_after": "2024-03-01T00:00:00Z"}, EVERY),
        ({"created_before": "2024-03-01T00:00:00Z"}, []),
        ({"created_after": "2024-03-01T00:00:00Z", "paid_before": "2024-02-01T00:00:00Z"}, ["zoe", "inv"]),
        ({"metadata[run]": "jan"}, ["zoe", "flat"]),
        ({"metadata[run]": "ja"}, []),
        ({"metadata[run]": ["jan", "feb"]}, []),
        ({"metadata[run]": "jan", "customer": "MARY"}, ["flat"]),
    ],
)
def test_filters_find(lister: Client, some: dict[str, Json], query: Json, expected: list[str]) -> None:
    """1.6, 6: several filters all hold at once; times are exclusive bounds; a customer's with all that is under it."""
    payments = [some[name] for name in expected]
    assert data(listed(lister, **{"metadata[some]": "x"} | query)) == payments
    assert both_ways(lister, 2, **{"metadata[some]": "x"} | query) == payments


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"bill": "INV-1"}, ["bounced", "inv"]),
        ({"status": "partially_reversed"}, ["bounced"]),
        ({"status": "succeeded", "customer": "zoe_7"}, ["both", "zoe"]),
        ({"method": "debit_order"}, ["bounced", "reversed"]),
        ({"external_reference": "R-1"}, ["zoe", "rent", "inv"]),
        ({"paid_before": "2024-02-15T00:00:00Z", "paid_after": "2024-01-30T00:00:00Z"}, ["refunded", "inv"]),
    ],
)
def test_filters_need_no_metadata_beside_them(
    lister: Client, some: dict[str, Json], query: Json, expected: list[str]
) -> None:
    assert data(listed(lister, **query)) == [some[name] for name in expected]


def test_an_object_filters_by_either_name(lister: Client, some: dict[str, Json]) -> None:
    """1.3: so does every member that names an object."""
    for name, reference in (("inv", "INV-1"), ("flat", "FLAT-7"), ("zoe", "zoe_7")):
        member = {"inv": "bill", "flat": "account", "zoe": "customer"}[name]
        by_id, by_reference = some[name][f"{member}_id"], reference
        assert found(lister, **{member: by_id}) == found(lister, **{member: by_reference})
        assert some[name]["id"] in found(lister, **{member: by_id})


@pytest.mark.parametrize(
    "query",
    [
        {"customer": "nobody"}, {"customer": "bcus_0000000000000000000000"}, {"account": "nobody"},
        {"account": "bacc_0000000000000000000000"}, {"account": "x" * 255}, {"bill": "nothing"},
        {"bill": "bill_0000000000000000000000"}, {"external_reference": "nothing"}, {"channel": "nothing"},
        {"method": "nothing"}, {"metadata[a]": "nothing"}, {"paid_after": "2999-01-01T00:00:00Z"},
        {"paid_before": "1969-01-01T00:00:00Z"}, {"created_after": "2999-01-01T00:00:00Z"},
        {"customer": "MARY", "bill": "nothing"}, {"customer": "nobody", "external_reference": "R-1"},
        {"account": "nobody", "status": "succeeded"},
    ],
)  # fmt: skip
@pytest.mark.usefixtures("some")
def test_a_filter_on_nothing_gives_an_empty_page(lister: Client, query: Json) -> None:
    """1.6: a filter that names an object that does not exist gives an empty page."""
    answer = listed(lister, **query)
    assert data(answer) == []
    assert [answer.headers.get(name) for name in ("Next-Cursor", "Prev-Cursor", "Link")] == [None] * 3


def test_filters_name_nothing_of_another_merchant_or_mode(
    service: Service, fresh_merchant: Merchant, some: dict[str, Json], other: Client
) -> None:
    """1.2: test and live data never meet."""
    for stranger in (other, service.client(fresh_merchant.keys["sk"])):
        for query in (
            {"customer": "MARY"}, {"account": some["flat"]["account_id"]}, {"bill": some["inv"]["bill_id"]},
            {"bill": "INV-1"}, {"external_reference": "R-1"}, {"metadata[some]": "x"}, {"channel": "shop"},
            {"paid_before": "2024-03-01T00:00:00Z"}, {"status": "partially_reversed"},
        ):  # fmt: skip
            assert found(stranger, **query) == [], query


def test_a_reference_that_two_merchants_have_filters_each_ones_own(client: Client, other: Client) -> None:
    reference, payments = a_reference(), []
    for caller in (client, other):
        customer = a_customer(caller, external_reference=reference, currency="ZAR")
        payments.append(a_payment(caller, external_reference=reference, **on(customer)))
    for caller, payment in zip((client, other), payments, strict=True):
        assert found(caller, customer=reference) == found(caller, external_reference=reference) == [payment["id"]]


def test_a_payment_is_listed_under_an_account_that_came_with_its_bill(lister: Client) -> None:
    """6: `customer` with all that is under it, however it came there."""
    bill = a_bill(
        lister, account={"external_reference": a_reference(), "customer": {"external_reference": a_reference()}}
    )
    payment = a_payment(lister, **on(bill))
    for query in ({"customer": bill["customer_id"]}, {"account": bill["account_id"]}, on(bill)):
        assert found(lister, **query) == [payment["id"]]


# Payments that move between lists


def test_a_payment_moves_between_the_lists_at_once(lister: Client) -> None:
    """6: by what took of it back last, and whether it still holds anything."""
    customer = a_customer(lister, currency="ZAR")
    payment = a_payment(lister, **on(customer))

    def where() -> list[str]:
        return [status for status in STATUSES if found(lister, **on(customer), status=status) == [payment["id"]]]

    assert where() == ["succeeded"]
    for what, amount, expected in (
        ("refunds", 10, "partially_refunded"),
        ("reversals", 10, "partially_reversed"),
        ("refunds", 10, "partially_refunded"),
        ("reversals", 70, "reversed"),
    ):
        assert take_back(lister, payment, what, amount=amount)["status"] == expected
        assert where() == [expected]
        assert found(lister, **on(customer)) == [payment["id"]]


# Times


def test_times_of_creation_and_of_payment_are_exclusive_bounds(
    lister: Client, seven: list[Json], database: Database
) -> None:
    """1.6: times are exclusive bounds, to the microsecond, beside any other filter."""
    rows = database.rows("SELECT id, created_at FROM payment WHERE id = ANY ($1)", names(seven))
    created = {row["id"]: row["created_at"] for row in rows}
    assert created == {payment["id"]: datetime.fromisoformat(payment["created_at"]) for payment in seven}
    ids, middle, own = names(seven), created[seven[3]["id"]], {"bill": seven[0]["bill_id"]}
    for after, before, expected in (
        (middle, None, ids[:3]),
        (None, middle, ids[4:]),
        (middle - STEP, None, ids[:4]),
        (middle - STEP, middle + STEP, ids[3:4]),
        (middle, middle, []),
    ):
        times = {"created_after": after, "created_before": before}
        assert found(lister, **own, **{name: iso(time) for name, time in times.items() if time}) == expected


@pytest.mark.parametrize("name", ["paid_after", "paid_before"])
def test_every_time_of_payment_is_an_exclusive_bound(lister: Client, days: list[Json], name: str) -> None:
    """1.6: to the microsecond, about midnight, on the day of recording and long before it."""
    paid = {payment["id"]: datetime.fromisoformat(payment["paid_at"]) for payment in days}
    for bound in (time + step for time in paid.values() for step in (-STEP, STEP * 0, STEP)):
        expected = [each for each, time in paid.items() if (time > bound if name == "paid_after" else time < bound)]
        assert found(lister, customer=days[0]["customer_id"], **{name: iso(bound)}) == expected, bound


@pytest.fixture(scope="module")
def days(lister: Client) -> list[Json]:
    """Payments of one customer, newest first, that were paid about the ends of days; the last one just now."""
    customer = a_customer(lister, currency="ZAR")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    times = [midnight - timedelta(days=n) + step for n in (0, 1, 31, 1000) for step in (-STEP, STEP * 0, STEP)]
    past = [a_payment(lister, paid_at=iso(time), **on(customer)) for time in sorted(times, key=str)[::-1]]
    return [a_payment(lister, **on(customer)), *past[::-1]]


def test_a_backdated_payment_is_listed_by_when_it_was_recorded_and_found_by_when_it_was_paid(lister: Client) -> None:
    """6: `paid_at` in the past; 1.6: newest first is the order of recording."""
    customer = a_customer(lister, currency="ZAR")
    days = ["2022-06-01", "2021-06-01", "2023-06-01", "2020-06-01"]
    payments = [a_payment(lister, paid_at=f"{day}T00:00:00Z", **on(customer)) for day in days]
    assert data(listed(lister, **on(customer))) == payments[::-1]
    late = {"paid_after": "2020-12-31T00:00:00Z", "paid_before": "2022-12-31T00:00:00Z"}
    assert both_ways(lister, 1, **on(customer), **late) == [payments[1], payments[0]]


# What is no filter


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *(
            (f"{name}={value}", name)
            for name in ("paid_before", "paid_after", "created_before", "created_after")
            for value in (
                "", "2024-01-31", "2024-01-31T09:30:00", "2024-01-31T09:30:00%2B00:00", "2024-02-30T09:30:00Z",
                "2024-01-31T09:30Z", "2024-01-31T24:00:00Z", "2024-01-31T09:30:00Z%0A", "now", "null", "1706693400",
            )
        ),
        *((f"status={value}", "status") for value in ("", "paid", "Succeeded", "succeeded,refunded", "null")),
        *(
            (f"{name}={value}", name)
            for name in ("customer", "account", "bill", "external_reference")
            for value in ("", "a%20b", "a.b", "%C3%A9", "a%0A", "x" * 256)
        ),
        *((f"{name}={value}", name) for name in ("channel", "method") for value in ("", "A", "a-b", "a%0A", "x" * 41)),
        *((f"limit={value}", "limit") for value in ("0", "101", "x", "")),
        ("cursor=x", "cursor"),
        ("metadata[]=x", "metadata[]"),
        *((f"{name}=x", name) for name in ("q", "provider_reference", "amount", "paid_at", "Status", "payment")),
        *((f"{name}=a&{name}=a", name) for name in ("customer", "bill", "channel", "external_reference")),
        ("paid_after=2024-01-31T09:30:00Z&paid_after=2024-01-31T09:30:00Z", "paid_after"),
        ("status=refunded&status=reversed", "status"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_400(lister: Client, query: str, name: str) -> None:
    """1.1: a query parameter that is unknown, given twice or malformed is 400, and named."""
    refused(lister.get(f"{PAYMENTS}?{query}"), 400, f"query: {name}")


def test_each_faulty_parameter_is_named(lister: Client) -> None:
    query = "paid_after=x&paid_before=y&created_after=z&status=open&customer=a%20b&channel=A&sort=paid_at&limit=0&bill="
    pairs = [pair.partition("=")[0] for pair in query.split("&")]
    refused(lister.get(f"{PAYMENTS}?{query}"), 400, *(f"query: {name}" for name in pairs))


@pytest.mark.parametrize("name", ["customer", "channel", "status", "paid_after", "cursor"])
@pytest.mark.parametrize("value", ["%FF", "%ED%A0%80", "%00", "a%00b", "%F0%9F%98%80", "x" * 2000, "%25", "%"])
def test_no_value_of_a_filter_causes_a_500(lister: Client, name: str, value: str) -> None:
    """1.1: nothing a client sends may cause a 500."""
    answer = lister.get(f"{PAYMENTS}?{name}={value}")
    assert (answer.status, set(answer.pointers)) == (400, {f"query: {name}"})


def test_a_list_needs_a_secret_key(public: Client, anonymous: Client) -> None:
    """1.2: every operation in this file needs a secret key unless it says otherwise."""
    assert [caller.get(PAYMENTS).status for caller in (public, anonymous)] == [403, 401]


# Many payments, compared with a plain filter


class Many:
    """Hundreds of random payments, newest first, and a plain way to say which a query finds."""

    def __init__(self, caller: Client, random: Random) -> None:
        self.caller = caller
        self.random = random
        customers = [a_customer(caller, currency="ZAR") for _ in range(3)]
        accounts = [an_account(caller, customer=each["id"], currency="ZAR") for each in customers for _ in range(2)]
        on_customers = [a_bill(caller, customer=each["id"], payment_rules=OPEN_RULES) for each in customers]
        on_accounts = [a_bill(caller, account=each["id"], payment_rules=OPEN_RULES) for each in accounts]
        self.things = [*customers, *accounts, *on_customers, *on_accounts]
        self.over = {
            thing["id"]: {thing[key] for key in ("id", "customer_id", "account_id") if key in thing}
            for thing in self.things
        }
        wanted = [self._members() for _ in range(160)]
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda members: a_payment(caller, **members), wanted))
            made = list(pool.map(self._moved_on, made, [random.random() for _ in made]))
        self.payments = sorted(made, key=lambda payment: payment["id"], reverse=True)

    def _members(self) -> Json:
        """Choose the members of a payment, of one obligation or several."""
        random = self.random
        targets = random.sample(self.things, random.choice([1, 1, 1, 2, 3]))
        amounts = [random.randrange(1, 50) for _ in targets]
        return {
            "amount": sum(amounts),
            "applications": [{**on(thing), "amount": amount} for thing, amount in zip(targets, amounts, strict=True)],
            "channel": random.choice(["bank", "shop", None]),
            "method": random.choice(["eft", "cash", None]),
            "paid_at": random.choice([None, f"2024-01-{random.randrange(1, 29):02}T00:00:00Z"]),
            "external_reference": random.choice([None, a_reference()]),
            "metadata": {"run": random.choice("abc")},
        }

    def _moved_on(self, payment: Json, chance: float) -> Json:
        """Take a payment back, in whole or in part, or leave it."""
        if chance > 0.4:
            return payment
        part = {"amount": 1} if chance < 0.25 else {}
        return take_back(self.caller, payment, "refunds" if chance < 0.2 else "reversals", **part)

    def a_query(self) -> dict[str, str]:
        """Choose one to four filters."""
        random = self.random
        by_kind = {
            kind: [thing["id"] for thing in self.things if kind in on(thing)]
            for kind in ("customer", "account", "bill")
        }
        choices = {kind: random.choice(ids) for kind, ids in by_kind.items()}
        choices |= {
            "channel": random.choice(["bank", "shop"]),
            "method": random.choice(["eft", "cash"]),
            "status": random.choice(STATUSES),
            "paid_after": f"2024-01-{random.randrange(1, 29):02}T00:00:00Z",
            "paid_before": f"2024-01-{random.randrange(1, 29):02}T00:00:00Z",
            "metadata[run]": random.choice("abc"),
        }
        return {name: choices[name] for name in random.sample([*choices], random.randrange(1, 5))}

    def matching(self, query: dict[str, str]) -> list[Json]:
        """Say what a query finds: every filter must hold. Times with as many digits compare as text."""

        def under(payment: Json, name: str) -> bool:
            targets = (
                next(value for key, value in each.items() if key.endswith("_id")) for each in payment["applications"]
            )
            return any(name in self.over[target] for target in targets)

        holds: dict[str, Callable[[Json, str], bool]] = {
            "customer": under,
            "account": under,
            "bill": under,
            "channel": lambda payment, value: payment.get("channel") == value,
            "method": lambda payment, value: payment.get("method") == value,
            "status": lambda payment, value: bool(payment["status"] == value),
            "paid_after": lambda payment, value: bool(payment["paid_at"][:19] > value[:19]),
            "paid_before": lambda payment, value: bool(payment["paid_at"][:19] < value[:19]),
            "metadata[run]": lambda payment, value: bool(payment["metadata"]["run"] == value),
        }
        return [each for each in self.payments if all(holds[name](each, value) for name, value in query.items())]


@pytest.fixture(scope="module")
def many(service: Service) -> Many:
    """Payments of a merchant that has no others."""
    return Many(service.client(service.merchant("Many payments").keys["sk_test"]), Random(4))


def test_any_filters_find_what_a_plain_filter_finds(many: Many) -> None:
    """1.6, 6: whatever filters come together, on every page and both ways."""
    sizes = []
    for _ in range(70):
        query, limit = many.a_query(), many.random.choice([7, 20, 50, 100])
        expected = many.matching(query)
        sizes.append(len(expected))
        assert both_ways(many.caller, limit, **query) == expected, query
    assert max(sizes) > 40
    assert sum(0 < size <= 40 for size in sizes) > 25


@pytest.mark.parametrize(
    "name", ["customer", "account", "bill", "channel", "method", "status", "paid_after", "metadata[run]"]
)
def test_each_filter_alone_pages_through_all_that_it_finds(many: Many, name: str) -> None:
    """1.6: every row once, in either direction."""
    query = next(query for query in iter(many.a_query, {}) if name in query)
    query = {name: query[name]}
    assert both_ways(many.caller, 3, **query) == many.matching(query)
