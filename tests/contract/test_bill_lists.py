"""1.6 and 4: GET /billing/bills, its pages and its filters."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    BILLS,
    RULES,
    a_bill,
    a_customer,
    a_reference,
    an_account,
    at,
    refused,
)
from tests.contract.service import Database, Merchant, Service

OVER: Final = RULES | {"overpayment_allowed": True}
DAY: Final = timedelta(days=1)


@pytest.fixture(scope="module")
def lister(service: Service, fresh_merchant: Merchant) -> Client:
    """A caller whose merchant has only the bills of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


def listed(client: Client, **query: Any) -> Answer:
    return client.get(f"{BILLS}?{urlencode(query, doseq=True)}")


def data(answer: Answer) -> list[Json]:
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"data"}
    found: list[Json] = answer.json()["data"]
    return found


def names(bills: Iterable[Json]) -> list[str]:
    return [bill["id"] for bill in bills]


def found(client: Client, **query: Any) -> list[str]:
    """Return the ids of the bills that a query finds."""
    return names(data(listed(client, **query)))


def both_ways(client: Client, limit: int, **query: Any) -> list[Json]:
    """Read every page on from the newest, then back again, and return all bills; a page never has other neighbours."""
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
    return [bill for page in pages for bill in data(page)]


def today(zone: str = "UTC") -> date:
    return datetime.now(ZoneInfo(zone)).date()


def within_a_day(zone: str, look: Callable[[date], None]) -> None:
    """Look at something that is right on one day; where that day ends meanwhile, look again on the next."""
    while True:
        day = today(zone)
        try:
            look(day)
        except AssertionError:
            if today(zone) == day:
                raise
        else:
            return


# Pages


def test_a_list_shows_each_bill_as_a_retrieve_does_newest_first(lister: Client) -> None:
    """1.6: body `{"data": [...]}`; newest first."""
    customer = a_customer(lister)["id"]
    bills = [a_bill(lister, customer=customer, amount_due=n, due_date="2026-01-31") for n in range(1, 6)][::-1]
    bills[1] = lister.patch(at(bills[1]), {"amount_paid": 4}).json()
    bills[2] = lister.send("POST", f"{at(bills[2])}/void").json()
    assert data(listed(lister, customer=customer)) == bills
    assert [lister.get(at(bill)).json() for bill in bills] == bills


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
@pytest.mark.parametrize("query", ["customer", "account", "due_before", "status", "metadata[tag]", "overdue"])
def test_pages_go_forward_and_back_through_everything(
    lister: Client, seven: list[Json], limit: int, query: str
) -> None:
    """1.6: `Next-Cursor` and `Prev-Cursor`, absent at the ends; each row is seen once, in either direction."""
    own = {"metadata[tag]": seven[0]["metadata"]["tag"]}
    filters = {
        "customer": {"customer": seven[0]["customer_id"]},
        "account": {"account": seven[0]["account_id"]},
        "due_before": {"due_before": "2020-02-01", **own},
        "status": {"status": "unpaid", **own},
        "metadata[tag]": own,
        "overdue": {"overdue": "true", **own},
    }
    assert both_ways(lister, limit, **filters[query]) == seven


@pytest.fixture(scope="module")
def seven(lister: Client) -> list[Json]:
    """Seven bills on an account of their own, newest first; their due dates are in no order."""
    account, tag = an_account(lister)["id"], a_reference()
    dates = ["2020-01-05", "2020-01-01", "2020-01-31", "2020-01-05", "2019-12-31", "2020-01-02", "2020-01-05"]
    return [a_bill(lister, account=account, due_date=day, metadata={"tag": tag}) for day in dates][::-1]


def test_the_default_limit_is_20(lister: Client) -> None:
    """1.6: `?limit=` (1 to 100, default 20)."""
    customer = a_customer(lister)["id"]
    bills = names([a_bill(lister, customer=customer) for _ in range(21)])[::-1]
    answer = listed(lister, customer=customer)
    assert names(data(answer)) == bills[:20]
    assert found(lister, customer=customer, cursor=answer.header("Next-Cursor")) == bills[20:]
    assert found(lister, customer=customer, limit=100) == bills


def test_links_keep_the_filters(lister: Client, seven: list[Json]) -> None:
    """1.6: also RFC 8288 `Link` headers."""
    answer = listed(lister, account=seven[0]["account_id"], due_before="2020-02-01", limit=3)
    target = answer.header("Link").partition(">")[0].removeprefix("<")
    following = lister.get(target[target.index(BILLS) :])
    assert data(answer) + data(following) == seven[:6]


def test_pages_stay_right_while_bills_are_added_and_change(lister: Client) -> None:
    """1.6: pages stay right while rows are added; what no longer matches is on no later page."""
    customer = a_customer(lister)["id"]
    old = [a_bill(lister, customer=customer, due_date="2026-01-31") for _ in range(6)][::-1]
    query = {"customer": customer, "status": "unpaid", "due_after": "2026-01-01", "limit": 2}
    first = listed(lister, **query)
    a_bill(lister, customer=customer, due_date="2026-01-31")
    lister.patch(at(old[3]), {"amount_paid": 1000})
    second = listed(lister, **query, cursor=first.header("Next-Cursor"))
    assert data(first) + data(second) == [old[0], old[1], old[2], old[4]]
    lister.patch(at(old[1]), {"amount_paid": 1000})
    assert found(lister, **query, cursor=second.header("Prev-Cursor"))[-1] == old[0]["id"]


# Cursors


def test_a_cursor_belongs_to_its_filters(lister: Client, seven: list[Json]) -> None:
    """1.6: a cursor belongs to its merchant, mode, route and filters; any other gets 400."""
    own = {"account": seven[0]["account_id"], "limit": 2}
    cursor = listed(lister, **own).header("Next-Cursor")
    assert found(lister, **own, cursor=cursor) == names(seven[2:4])
    assert found(lister, **own | {"limit": 5}, cursor=cursor) == names(seven[2:7])
    for more in (
        {"due_before": "2026-01-01"},
        {"status": "unpaid"},
        {"overdue": "true"},
        {"q": "x"},
        {"currency": "ZAR"},
    ):
        refused(listed(lister, **own, **more, cursor=cursor), 400, "query: cursor")
    for query in ({}, {"customer": seven[0]["customer_id"]}, {"account": "another"}):
        refused(listed(lister, **query, limit=2, cursor=cursor), 400, "query: cursor")


def test_a_cursor_belongs_to_its_route_merchant_and_mode(
    service: Service, fresh_merchant: Merchant, lister: Client, other: Client, seven: list[Json]
) -> None:
    customer = seven[0]["customer_id"]
    cursor = listed(lister, limit=2).header("Next-Cursor")
    a_customer(lister)
    customers = lister.get("/billing/customers?limit=1").header("Next-Cursor")
    refused(listed(lister, limit=2, cursor=customers), 400, "query: cursor")
    refused(lister.get(f"/billing/customers?limit=2&cursor={cursor}"), 400, "query: cursor")
    refused(lister.get(f"/billing/accounts?limit=2&cursor={cursor}"), 400, "query: cursor")
    refused(lister.get(f"/billing/accounts?customer={customer}&cursor={cursor}"), 400, "query: cursor")
    for stranger in (other, service.client(fresh_merchant.keys["sk"])):
        refused(listed(stranger, limit=2, cursor=cursor), 400, "query: cursor")


# Filters, each alone and together


@pytest.fixture(scope="module")
def some(lister: Client) -> dict[str, Json]:
    """Bills that differ in what a list can be filtered by. All have the metadata key `some`."""
    mary = a_customer(lister, external_reference="MARY")
    flat = an_account(lister, external_reference="FLAT-7", customer=mary["id"])
    house = an_account(lister, external_reference="HOUSE", customer=mary["id"])
    zoe = a_customer(lister, external_reference="zoe_7")
    shop = an_account(lister, external_reference="shop", customer=zoe["id"])

    def bill(reference: str, **members: Any) -> Json:
        metadata = {"some": "x"} | members.pop("metadata", {})
        return a_bill(lister, external_reference=reference, metadata=metadata, **members)

    bills = {
        "mary": bill("INV-2024-001", customer=mary["id"], due_date="2024-01-31", metadata={"run": "jan"}),
        "flat": bill("inv_2024_002", account=flat["id"], due_date="2024-02-29", metadata={"run": "feb"}),
        "house": bill("HOUSE-1", account=house["id"], currency="USD", metadata={"run": "jan", "late": "yes"}),
        "zoe": bill("zoe-1", customer=zoe["id"], due_date="9999-12-31", currency="USD"),
        "shop": bill("2024", account=shop["id"], due_date="0001-01-01", payment_rules=OVER),
        "paid": bill("paid-1", account=flat["id"], due_date="2024-01-31"),
        "void": bill("void-1", customer=mary["id"], due_date="2024-01-30", metadata={"run": "jan"}),
    }
    bills["paid"] = lister.patch(at(bills["paid"]), {"amount_paid": 1000}).json()
    bills["void"] = lister.send("POST", f"{at(bills['void'])}/void").json()
    return bills


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["void", "paid", "shop", "zoe", "house", "flat", "mary"]),
        ({"external_reference": "INV-2024-001"}, ["mary"]),
        ({"external_reference": "inv-2024-001"}, []),
        ({"external_reference": "INV"}, []),
        ({"currency": "ZAR"}, ["void", "paid", "shop", "flat", "mary"]),
        ({"currency": "USD"}, ["zoe", "house"]),
        ({"currency": "EUR"}, []),
        ({"customer": "MARY"}, ["void", "paid", "house", "flat", "mary"]),
        ({"customer": "zoe_7"}, ["shop", "zoe"]),
        ({"customer": "ZOE_7"}, []),
        ({"customer": "FLAT-7"}, []),
        ({"account": "FLAT-7"}, ["paid", "flat"]),
        ({"account": "shop"}, ["shop"]),
        ({"account": "MARY"}, []),
        ({"status": "unpaid"}, ["shop", "zoe", "house", "flat", "mary"]),
        ({"status": "paid"}, ["paid"]),
        ({"status": "voided"}, ["void"]),
        ({"due_before": "2024-01-31"}, ["void", "shop"]),
        ({"due_before": "2024-02-01"}, ["void", "paid", "shop", "mary"]),
        ({"due_before": "0001-01-01"}, []),
        ({"due_before": "0001-01-02"}, ["shop"]),
        ({"due_before": "9999-12-31"}, ["void", "paid", "shop", "flat", "mary"]),
        ({"due_after": "2024-01-31"}, ["zoe", "flat"]),
        ({"due_after": "2024-01-30"}, ["paid", "zoe", "flat", "mary"]),
        ({"due_after": "0001-01-01"}, ["void", "paid", "zoe", "flat", "mary"]),
        ({"due_after": "9999-12-30"}, ["zoe"]),
        ({"due_after": "9999-12-31"}, []),
        ({"due_after": "2024-01-30", "due_before": "2024-02-01"}, ["paid", "mary"]),
        ({"due_after": "2024-01-30", "due_before": "2024-01-31"}, []),
        ({"due_after": "2024-02-01", "due_before": "2024-01-01"}, []),
        ({"due_after": "0001-01-01", "due_before": "9999-12-31"}, ["void", "paid", "flat", "mary"]),
        ({"overdue": "true"}, ["shop", "flat", "mary"]),
        ({"overdue": "true", "status": "paid"}, []),
        ({"overdue": "true", "status": "unpaid"}, ["shop", "flat", "mary"]),
        ({"overdue": "true", "customer": "MARY"}, ["flat", "mary"]),
        ({"overdue": "true", "due_after": "2024-01-31"}, ["flat"]),
        ({"overdue": "true", "due_after": "0001-01-01", "due_before": "2024-02-29"}, ["mary"]),
        ({"metadata[run]": "jan"}, ["void", "house", "mary"]),
        ({"metadata[run]": "ja"}, []),
        ({"metadata[run]": "jan", "metadata[late]": "yes"}, ["house"]),
        ({"metadata[run]": ["jan", "feb"]}, []),
        ({"q": "inv"}, ["flat", "mary"]),
        ({"q": "INV 2024"}, ["flat", "mary"]),
        ({"q": "2024"}, ["shop", "flat", "mary"]),
        ({"q": "INV-2024-001"}, ["mary"]),
        ({"q": "inv 2024 001"}, ["mary"]),
        ({"q": "202"}, []),
        ({"q": "mary"}, []),
        ({"q": "jan"}, []),
        ({"customer": "MARY", "account": "FLAT-7"}, ["paid", "flat"]),
        ({"customer": "zoe_7", "account": "FLAT-7"}, []),
        ({"customer": "MARY", "status": "unpaid", "currency": "ZAR"}, ["flat", "mary"]),
        ({"customer": "MARY", "due_before": "2024-02-01"}, ["void", "paid", "mary"]),
        ({"account": "FLAT-7", "due_before": "2024-02-01", "status": "paid"}, ["paid"]),
        ({"status": "voided", "due_after": "2024-01-29", "metadata[run]": "jan", "q": "void"}, ["void"]),
        ({"external_reference": "INV-2024-001", "status": "paid"}, []),
        ({"external_reference": "INV-2024-001", "due_before": "2024-01-31"}, []),
        ({"external_reference": "INV-2024-001", "due_before": "2024-02-01", "customer": "MARY"}, ["mary"]),
        ({"external_reference": "inv_2024_002", "account": "FLAT-7", "overdue": "true", "q": "002"}, ["flat"]),
        ({"external_reference": "inv_2024_002", "account": "HOUSE"}, []),
    ],
)
def test_filters_find(lister: Client, some: dict[str, Json], query: Json, expected: list[str]) -> None:
    """1.6, 4: several filters all hold at once; dates are exclusive bounds; a customer's with those of its accounts."""
    bills = [some[name] for name in expected]
    assert data(listed(lister, **{"metadata[some]": "x"} | query)) == bills
    assert both_ways(lister, 2, **{"metadata[some]": "x"} | query) == bills


def test_a_customer_and_an_account_filter_by_either_name(lister: Client, some: dict[str, Json]) -> None:
    """1.3: so does every member that names an object."""
    flat = some["flat"]
    assert found(lister, customer=flat["customer_id"]) == found(lister, customer="MARY")
    assert found(lister, account=flat["account_id"]) == found(lister, account="FLAT-7")
    assert len(found(lister, customer="MARY")) == 5


@pytest.mark.parametrize(
    "query",
    [
        {"customer": "nobody"}, {"customer": "bcus_0000000000000000000000"}, {"customer": "bcus_"},
        {"account": "nobody"}, {"account": "bacc_0000000000000000000000"}, {"account": "x" * 255},
        {"external_reference": "nothing"}, {"currency": "XAF"}, {"metadata[a]": "nothing"}, {"q": "nothingatall"},
        {"created_after": "2999-01-01T00:00:00Z"}, {"created_before": "1999-01-01T00:00:00Z"},
        {"customer": "nobody", "status": "unpaid"}, {"account": "nobody", "overdue": "true"},
        {"customer": "nobody", "external_reference": "INV-2024-001"},
        {"customer": "MARY", "account": "nobody"}, {"customer": "nobody", "account": "FLAT-7"},
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
    flat = some["flat"]
    for stranger in (other, service.client(fresh_merchant.keys["sk"])):
        for query in (
            {"customer": flat["customer_id"]}, {"customer": "MARY"}, {"account": flat["account_id"]},
            {"account": "FLAT-7"}, {"external_reference": "inv_2024_002"}, {"metadata[some]": "x"},
            {"q": "house"}, {"due_before": "0001-01-02"}, {"due_after": "9999-12-30"},
        ):  # fmt: skip
            assert found(stranger, **query) == []


def test_a_reference_that_two_merchants_have_filters_each_ones_own(client: Client, other: Client) -> None:
    reference = a_reference()
    for caller in (client, other):
        a_customer(caller, external_reference=reference)
        an_account(caller, external_reference=reference, customer=reference)
    ours, theirs = (a_bill(caller, account=reference) for caller in (client, other))
    assert found(client, customer=reference) == found(client, account=reference) == [ours["id"]]
    assert found(other, customer=reference) == found(other, account=reference) == [theirs["id"]]


# Bills that move between lists


STATES: Final = [{"status": "unpaid"}, {"status": "paid"}, {"status": "voided"}, {"overdue": "true"}]


def test_a_bill_moves_between_the_lists_at_once(lister: Client) -> None:
    """4: filters see a bill as it stands."""
    bill = a_bill(lister, due_date="2024-01-31", payment_rules=OVER)
    own = {"customer": bill["customer_id"]}

    def on() -> list[bool]:
        return [found(lister, **own, **state) == [bill["id"]] for state in STATES]

    assert on() == [True, False, False, True]
    for amount_paid, expected in (
        (999, [True, False, False, True]),
        (1000, [False, True, False, False]),
        (1500, [False, True, False, False]),
        (0, [True, False, False, True]),
    ):
        lister.patch(at(bill), {"amount_paid": amount_paid})
        assert on() == expected
    lister.send("POST", f"{at(bill)}/void")
    assert on() == [False, False, True, False]


def test_a_bill_moves_with_its_due_date(lister: Client) -> None:
    """4: `due_date` can be set, changed and cleared; a bill without one is due at no time.

    The dates are those of no other bill here, so that they may be the only filter.
    """
    bill = a_bill(lister)
    spans = [("1776-01-01", "1776-12-31"), ("1776-06-30", "1776-07-02"), ("2776-01-01", "2800-01-01")]
    queries: list[Json] = [{"due_after": after, "due_before": before} for after, before in spans]
    queries += [{"overdue": "true", "due_after": "1776-01-01", "due_before": "1776-12-31"}]
    own = {"customer": bill["customer_id"]}

    def on() -> list[bool]:
        alone = [found(lister, **query) for query in queries]
        assert alone == [found(lister, **query, **own) for query in queries]
        return [names == [bill["id"]] for names in alone]

    assert on() == [False, False, False, False]
    for due_date, expected in (
        ("1776-06-30", [True, False, False, True]),
        ("1776-07-01", [True, True, False, True]),
        ("2776-07-01", [False, False, True, False]),
        ("1776-12-31", [False, False, False, False]),
        ("1776-01-02", [True, False, False, True]),
        (None, [False, False, False, False]),
        ("2799-12-31", [False, False, True, False]),
    ):
        lister.merge(at(bill), {"due_date": due_date})
        assert on() == expected, due_date
    lister.merge(at(bill), {"due_date": "1776-07-01"})
    lister.patch(at(bill), {"amount_paid": 1000})
    assert on() == [True, True, False, False]


def test_a_change_is_found_by_what_the_bill_is_now(lister: Client) -> None:
    """4: a change of currency or of metadata, and the metadata of a void, too."""
    bill = a_bill(lister, metadata={"stage": "before", "keep": "x"})
    own = {"customer": bill["customer_id"]}
    lister.patch(at(bill), {"currency": "USD", "metadata": {"stage": "after"}})
    for query in ({"currency": "ZAR"}, {"metadata[stage]": "before"}):
        assert found(lister, **own, **query) == [], query
    for query in ({"currency": "USD"}, {"metadata[stage]": "after"}, {"metadata[keep]": "x"}):
        assert found(lister, **own, **query) == [bill["id"]], query
    lister.post(f"{at(bill)}/void", {"metadata": {"stage": "void"}})
    assert found(lister, **own, **{"metadata[stage]": "after"}) == []
    assert found(lister, **own, **{"metadata[stage]": "void", "metadata[keep]": "x"}) == [bill["id"]]


# Overdue, where the merchant is


@pytest.mark.parametrize(("kind", "zone"), [("sk_test", "Pacific/Kiritimati"), ("sk", "Pacific/Niue")])
def test_overdue_is_before_today_where_the_merchant_is(
    service: Service, other_zones: Merchant, kind: str, zone: str
) -> None:
    """4: `overdue=true` (unpaid, `due_date` before today): today in the merchant's time zone, of each mode."""
    caller = service.client(other_zones.keys[kind])
    assert caller.patch("/billing/settings", {"time_zone": zone}).status == 200

    def look(day: date) -> None:
        customer = a_customer(caller)["id"]
        due = [day - 2 * DAY, day - DAY, day, day + DAY]
        bills = [a_bill(caller, customer=customer, due_date=each.isoformat())["id"] for each in due]
        assert found(caller, customer=customer, overdue="true") == [bills[1], bills[0]]

    within_a_day(zone, look)


def test_overdue_follows_the_settings(service: Service, other_zones: Merchant) -> None:
    """4, 5: the time zone that stands when the list is asked for; the two zones never have the same date."""
    caller = service.client(other_zones.keys["sk_test"])

    def look(day: date) -> None:
        bill = a_bill(caller, due_date=day.isoformat())
        for zone, expected in (("Pacific/Kiritimati", [bill["id"]]), ("Pacific/Niue", [])):
            assert caller.patch("/billing/settings", {"time_zone": zone}).status == 200
            assert found(caller, customer=bill["customer_id"], overdue="true") == expected

    within_a_day("Pacific/Niue", look)


@pytest.fixture(scope="module")
def other_zones(service: Service) -> Merchant:
    """A merchant whose settings may change."""
    return service.merchant("Zones")


# Times


def test_times_of_creation_are_exclusive_bounds(lister: Client, seven: list[Json], database: Database) -> None:
    """1.6: times are exclusive bounds, to the microsecond, beside any other filter."""
    rows = database.rows("SELECT id, created_at FROM bill WHERE id = ANY ($1)", names(seven))
    created = {row["id"]: row["created_at"] for row in rows}
    ids, step = names(seven), timedelta(microseconds=1)
    middle = created[ids[3]]
    for own in ({"account": seven[0]["account_id"]}, {"due_before": "2020-02-01", "due_after": "2019-12-30"}):
        for after, before, expected in (
            (middle, None, ids[:3]),
            (None, middle, ids[4:]),
            (middle - step, None, ids[:4]),
            (middle - step, middle + step, ids[3:4]),
            (middle, middle, []),
        ):
            times = {"created_after": after, "created_before": before}
            query = {name: iso(moment) for name, moment in times.items() if moment}
            assert found(lister, **own, **query) == expected


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# What is no filter


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *(
            (f"{name}={value}", name)
            for name in ("due_before", "due_after")
            for value in (
                "", "2025-02-30", "2023-02-29", "25-01-01", "2025-1-1", "20250101", "2025-W01-1", "2025-13-01",
                "2025-01-01T00:00:00Z", "0000-01-01", "10000-01-01", "-2025-01-01", "%2B2025-01-01", "2025-01-01%20",
                "2025-01-01%0A", "today", "infinity", "-infinity", "null", "%EF%BC%92025-01-01",
            )
        ),
        *((f"overdue={value}", "overdue") for value in ("false", "", "1", "True", "TRUE", "yes", "true%20", "null")),
        *((f"status={value}", "status") for value in ("", "open", "void", "UNPAID", "unpaid,paid", "overdue", "null")),
        *((f"currency={value}", "currency") for value in ("", "zar", "ZA", "ZARR", "ZAR%0A")),
        *(
            (f"{name}={value}", name)
            for name in ("customer", "account", "external_reference")
            for value in ("", "a%20b", "a.b", "%C3%A9", "a%0A", "x" * 256)
        ),
        *((f"{name}=2024-01-01", name) for name in ("created_after", "created_before")),
        *((f"limit={value}", "limit") for value in ("0", "101", "x", "")),
        ("cursor=x", "cursor"),
        ("q=", "q"),
        ("metadata[]=x", "metadata[]"),
        ("email=a@b.example", "email"),
        ("phone=%2B2711", "phone"),
        ("amount_due=5", "amount_due"),
        ("due_date=2025-01-01", "due_date"),
        ("bill_date=2025-01-01", "bill_date"),
        ("Status=paid", "Status"),
        ("due_before=2025-01-01&due_before=2025-01-01", "due_before"),
        ("overdue=true&overdue=true", "overdue"),
        ("status=paid&status=unpaid", "status"),
        ("customer=a&customer=b", "customer"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_400(lister: Client, query: str, name: str) -> None:
    """1.1: a query parameter that is unknown, given twice or malformed is 400, and named."""
    refused(lister.get(f"{BILLS}?{query}"), 400, f"query: {name}")


def test_each_faulty_parameter_is_named(lister: Client) -> None:
    query = "due_before=2025-02-30&due_after=x&overdue=no&status=open&customer=a%20b&sort=due_date&limit=0&currency=zar"
    pairs = [pair.partition("=")[0] for pair in query.split("&")]
    refused(lister.get(f"{BILLS}?{query}"), 400, *(f"query: {name}" for name in pairs))


@pytest.mark.parametrize("name", ["customer", "account", "status", "due_before", "due_after", "overdue", "q", "cursor"])
@pytest.mark.parametrize("value", ["%FF", "%ED%A0%80", "%C3", "%00", "a%00b", "%F0%9F%98%80", "x" * 2000, "%25", "%"])
def test_no_value_of_a_filter_causes_a_500(lister: Client, name: str, value: str) -> None:
    """1.1: nothing a client sends may cause a 500."""
    answer = lister.get(f"{BILLS}?{name}={value}")
    assert (answer.status, set(answer.pointers)) == (400, {f"query: {name}"})


# Many bills, compared with a plain filter


class Many:
    """Hundreds of bills with random members, newest first, and a plain way to say which a query finds."""

    def __init__(self, caller: Client, random: Random) -> None:
        self.caller = caller
        self.random = random
        self.customers = [a_customer(caller)["id"] for _ in range(6)]
        self.accounts = [an_account(caller, customer=customer)["id"] for customer in self.customers for _ in range(2)]
        wanted = [self._members() for _ in range(300)]
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda members: a_bill(caller, **members), wanted))
            made = list(pool.map(self._moved_on, made, [random.random() for _ in made]))
        self.bills = sorted(made, key=lambda bill: bill["id"], reverse=True)

    def _members(self) -> Json:
        """Choose the members of a bill: due dates lie close together, far apart, or nowhere."""
        random = self.random
        close = (date(2026, 1, 1) + random.randrange(40) * DAY).isoformat()
        far = date.fromordinal(random.randrange(1, date.max.toordinal() + 1)).isoformat()
        years = date(random.randrange(2015, 2036), random.randrange(1, 13), random.randrange(1, 29)).isoformat()
        on = {"customer": random.choice(self.customers)} if random.random() < 0.5 else {}
        return {
            "due_date": random.choice([close, close, years, years, far, None]),
            "currency": random.choice(["ZAR", "ZAR", "USD"]),
            "metadata": {"run": random.choice("abc")},
            **(on or {"account": random.choice(self.accounts)}),
        }

    def _moved_on(self, bill: Json, chance: float) -> Json:
        """Pay, part-pay, void, or date a bill anew; or leave it."""
        moves: list[tuple[float, Callable[[], Answer]]] = [
            (0.2, lambda: self.caller.patch(at(bill), {"amount_paid": 1000})),
            (0.3, lambda: self.caller.patch(at(bill), {"amount_paid": 400})),
            (0.4, lambda: self.caller.send("POST", f"{at(bill)}/void")),
            (0.5, lambda: self.caller.merge(at(bill), {"due_date": None})),
            (0.6, lambda: self.caller.patch(at(bill), {"due_date": "2026-01-15"})),
            (0.7, lambda: self.caller.patch(at(bill), {"currency": "EUR"})),
            (1.0, lambda: self.caller.get(at(bill))),
        ]
        answer = next(move for limit, move in moves if chance < limit)()
        assert answer.status == 200, answer.body
        moved: Json = answer.json()
        return moved

    def a_query(self) -> dict[str, str]:
        """Choose one to four filters."""
        random = self.random
        due = [bill["due_date"] for bill in self.bills if "due_date" in bill]
        choices = {
            "customer": random.choice(self.customers),
            "account": random.choice(self.accounts),
            "status": random.choice(["unpaid", "paid", "voided"]),
            "currency": random.choice(["ZAR", "USD", "EUR"]),
            "due_before": random.choice([*due, "2026-02-01", "9999-12-31", "0001-01-01"]),
            "due_after": random.choice([*due, "2025-12-31", "9999-12-31", "0001-01-01"]),
            "overdue": "true",
            "metadata[run]": random.choice("abc"),
        }
        chosen = random.sample([*choices], random.randrange(1, 5))
        return {name: choices[name] for name in chosen}


def matching(bills: list[Json], query: dict[str, str], day: date) -> list[Json]:
    """Say what a query finds on a day: every filter must hold. Dates of four digits a year compare as text."""
    holds: dict[str, Callable[[Json, str], bool]] = {
        "customer": lambda bill, value: bill["customer_id"] == value,
        "account": lambda bill, value: bill.get("account_id") == value,
        "status": lambda bill, value: bill["status"] == value,
        "currency": lambda bill, value: bill["currency"] == value,
        "due_before": lambda bill, value: "due_date" in bill and bill["due_date"] < value,
        "due_after": lambda bill, value: "due_date" in bill and bill["due_date"] > value,
        "overdue": lambda bill, _: bill["status"] == "unpaid" and bill.get("due_date", "none") < day.isoformat(),
        "metadata[run]": lambda bill, value: bill["metadata"]["run"] == value,
    }
    return [bill for bill in bills if all(holds[name](bill, value) for name, value in query.items())]


@pytest.fixture(scope="module")
def many(service: Service) -> Many:
    """Bills of a merchant that has no others."""
    return Many(service.client(service.merchant("Many").keys["sk_test"]), Random(4))


def test_any_filters_find_what_a_plain_filter_finds(many: Many) -> None:
    """1.6, 4: whatever filters come together, wherever the due dates lie, on every page and both ways."""
    sizes = []
    for _ in range(150):
        query, limit = many.a_query(), many.random.choice([7, 20, 50, 100])

        def look(day: date, query: dict[str, str] = query, limit: int = limit) -> None:
            expected = matching(many.bills, query, day)
            sizes.append(len(expected))
            assert both_ways(many.caller, limit, **query) == expected, query

        within_a_day("UTC", look)
    assert max(sizes) > 100
    assert sum(0 < size <= 100 for size in sizes) > 75


@pytest.mark.parametrize("name", ["due_before", "due_after"])
def test_every_due_date_is_an_exclusive_bound(many: Many, name: str) -> None:
    """4: on each of the dates that there are, a page begins and ends where it should."""
    dates = sorted({bill["due_date"] for bill in many.bills if "due_date" in bill})
    for bound in many.random.sample(dates, 40):
        query = {name: bound}
        page = data(listed(many.caller, limit=100, **query))
        assert page == matching(many.bills, query, today())[:100]


@pytest.mark.parametrize(
    ("after", "before"),
    [
        ("2025-12-31", "2026-01-02"), ("2026-01-30", "2026-02-02"), ("2025-12-31", "2026-02-01"),
        ("2025-12-15", "2026-01-15"), ("2019-12-31", "2021-01-01"), ("2023-06-30", "2024-03-01"),
        ("0001-01-01", "2015-01-01"), ("2035-12-31", "9999-12-31"), ("1999-12-31", "2100-01-01"),
        ("2024-02-28", "2024-03-01"), ("0099-12-31", "1000-01-01"),
    ],
)  # fmt: skip
def test_a_span_of_due_dates_finds_what_lies_between(many: Many, after: str, before: str) -> None:
    """4: spans within a month, over a month's and a year's end, of a whole month, of years, of everything."""
    query = {"due_after": after, "due_before": before}
    assert both_ways(many.caller, 40, **query) == matching(many.bills, query, today())


@pytest.mark.parametrize(
    "query",
    [
        {}, {"status": "unpaid"}, {"status": "paid"}, {"status": "voided"}, {"overdue": "true"}, {"currency": "USD"},
        {"due_before": "2026-01-20"}, {"due_after": "2026-01-20"}, {"metadata[run]": "a"},
        {"overdue": "true", "due_after": "2026-01-20"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [3, 100])
def test_each_filter_alone_pages_through_all_that_it_finds(many: Many, query: dict[str, str], limit: int) -> None:
    """1.6: every row once, in either direction, whatever the limit."""

    def look(day: date) -> None:
        assert both_ways(many.caller, limit, **query) == matching(many.bills, query, day)

    within_a_day("UTC", look)
