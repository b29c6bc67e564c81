"""1.6 and 3: GET /billing/accounts, its pages and its filters."""

from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNTS,
    BILLS,
    CUSTOMERS,
    a_customer,
    a_reference,
    a_request,
    an_account,
    at,
    refused,
)
from tests.contract.service import Database, Merchant, Service

TAG = a_reference()


@pytest.fixture(scope="module")
def lister(service: Service, fresh_merchant: Merchant) -> Client:
    """A caller whose merchant has only the accounts of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


@pytest.fixture(scope="module")
def customer(lister: Client) -> Json:
    """The customer of the seven."""
    return a_customer(lister, external_reference="OWNER-1", name="Owner of Seven", metadata={"tag": TAG})


@pytest.fixture(scope="module")
def seven(lister: Client, customer: Json) -> list[Json]:
    """Seven accounts of one customer, newest first, between others of others."""
    made = []
    for number in range(7):
        an_account(lister)
        made.append(an_account(lister, customer=customer["id"], metadata={"tag": TAG, "number": str(number)}))
    return made[::-1]


def listed(client: Client, **query: str | int) -> Answer:
    return client.get(f"{ACCOUNTS}?{urlencode(query)}")


def data(answer: Answer) -> list[Json]:
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"data"}
    found: list[Json] = answer.json()["data"]
    return found


def found(client: Client, query: str) -> list[str]:
    """Return the ids that a raw query finds."""
    return [account["id"] for account in data(client.get(f"{ACCOUNTS}?{query}"))]


# Pages


def test_a_list_is_an_object_with_data_newest_first(lister: Client, seven: list[Json]) -> None:
    """1.6: body `{"data": [...]}`; newest first; each as a retrieve shows it."""
    assert data(listed(lister, **{"metadata[tag]": TAG})) == seven
    assert [lister.get(at(account)).json() for account in seven] == seven


def test_a_list_of_nothing_is_empty(service: Service) -> None:
    nobody = service.client(service.merchant("Empty of accounts").keys["sk_test"])
    a_customer(nobody)
    answer = nobody.get(ACCOUNTS)
    assert data(answer) == []
    assert [answer.headers.get(name) for name in ("Next-Cursor", "Prev-Cursor", "Link")] == [None] * 3


@pytest.mark.parametrize("query", [{"customer": "OWNER-1"}, {"metadata[tag]": TAG}])
@pytest.mark.parametrize("limit", [1, 3, 6, 7, 8])
def test_pages_go_forward_and_back_through_everything(
    lister: Client, seven: list[Json], query: dict[str, str], limit: int
) -> None:
    """1.6: `Next-Cursor` and `Prev-Cursor`, absent at the ends; each row is seen once, in either direction."""
    answer = listed(lister, **query, limit=limit)
    assert "Prev-Cursor" not in answer.headers
    pages = [data(answer)]
    while cursor := answer.headers.get("Next-Cursor"):
        answer = listed(lister, **query, limit=limit, cursor=cursor)
        pages.append(data(answer))
    assert [account for page in pages for account in page] == seven
    assert all(len(page) == limit for page in pages[:-1])
    back = [data(answer)]
    while cursor := answer.headers.get("Prev-Cursor"):
        answer = listed(lister, **query, limit=limit, cursor=cursor)
        back.insert(0, data(answer))
    assert back == pages


def test_pages_stay_right_while_accounts_are_added(lister: Client) -> None:
    """1.6: pages stay right while rows are added."""
    owner = a_customer(lister)
    old = [an_account(lister, customer=owner["id"]) for _ in range(5)][::-1]
    first = listed(lister, customer=owner["id"], limit=2)
    new = [an_account(lister, customer=owner["id"]) for _ in range(2)][::-1]
    second = listed(lister, customer=owner["id"], limit=2, cursor=first.header("Next-Cursor"))
    assert data(first) + data(second) == old[:4]
    again = listed(lister, customer=owner["id"], limit=2, cursor=second.header("Prev-Cursor"))
    assert data(again) == old[:2]
    assert data(listed(lister, customer=owner["id"], limit=2, cursor=again.header("Prev-Cursor"))) == new


def test_links_lead_to_the_same_pages_as_the_cursors(lister: Client, seven: list[Json]) -> None:
    """1.6: RFC 8288 `Link` headers keep limit and filters."""
    first = listed(lister, customer="OWNER-1", limit=3)
    target = first.header("Link").partition(">")[0].removeprefix("<")
    parts = urlsplit(target)
    assert parts.path == ACCOUNTS
    assert data(lister.get(f"{parts.path}?{parts.query}")) == seven[3:6]


def test_the_limit_is_20_by_default_and_100_at_most(lister: Client) -> None:
    """1.6: `?limit=` (1-100, default 20)."""
    owner = a_customer(lister)
    for _ in range(21):
        an_account(lister, customer=owner["id"])
    assert len(data(listed(lister, customer=owner["id"]))) == 20
    assert len(data(listed(lister, customer=owner["id"], limit=100))) == 21
    for limit in ("0", "101", "-1", "x", "", "1.0"):
        refused(listed(lister, customer=owner["id"], limit=limit), 400, "query: limit")


# Cursors


@pytest.mark.usefixtures("seven")
def test_a_cursor_belongs_to_its_route(lister: Client) -> None:
    """1.6: a cursor belongs to its merchant, mode, route and filters: any other gets 400."""
    a_customer(lister)
    for path, other in ((ACCOUNTS, CUSTOMERS), (CUSTOMERS, ACCOUNTS), (ACCOUNTS, BILLS)):
        cursor = lister.get(f"{path}?limit=1").header("Next-Cursor")
        assert lister.get(f"{path}?limit=1&cursor={cursor}").status == 200
        refused(lister.get(f"{other}?limit=1&cursor={cursor}"), 400, "query: cursor")


@pytest.mark.usefixtures("seven")
def test_a_cursor_belongs_to_its_filters(lister: Client, customer: Json) -> None:
    cursor = listed(lister, customer=customer["id"], limit=2).header("Next-Cursor")
    for query in (
        {},
        {"customer": a_customer(lister)["id"]},
        {"customer": customer["id"], "currency": "ZAR"},
        {"metadata[tag]": TAG},
        {"q": "owner"},
    ):
        refused(listed(lister, **query, cursor=cursor), 400, "query: cursor")
    assert len(data(listed(lister, customer=customer["id"], limit=5, cursor=cursor))) == 5


@pytest.mark.usefixtures("seven")
def test_a_cursor_belongs_to_its_merchant_and_its_mode(
    lister: Client, service: Service, fresh_merchant: Merchant, other: Client
) -> None:
    cursor = listed(lister, limit=2).header("Next-Cursor")
    for caller in (other, service.client(fresh_merchant.keys["sk"])):
        refused(listed(caller, cursor=cursor), 400, "query: cursor")


@pytest.mark.usefixtures("seven")
def test_a_cursor_is_authenticated(lister: Client) -> None:
    cursor = listed(lister, customer="OWNER-1", limit=2).header("Next-Cursor")
    for changed in (cursor[:-1], cursor + "A", cursor[::-1], "A" + cursor[1:] if cursor[0] != "A" else "B", "", "é"):
        refused(listed(lister, customer="OWNER-1", cursor=changed), 400, "query: cursor")


# By customer


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_the_accounts_of_a_customer_are_found_by_its_id_or_reference(
    lister: Client, customer: Json, seven: list[Json], name: str
) -> None:
    """3: list, also by `customer`; 1.3: either the id or the external reference."""
    assert data(listed(lister, customer=customer[name])) == seven


def test_the_customer_filter_holds_with_all_others(lister: Client, customer: Json, seven: list[Json]) -> None:
    """1.6: several filters all hold at once."""
    owner = quote(customer["id"])
    assert found(lister, f"customer={owner}&metadata[number]=3") == [seven[3]["id"]]
    assert found(lister, f"customer={owner}&metadata[number]=9") == []
    assert found(lister, f"customer={owner}&external_reference={seven[2]['external_reference']}") == [seven[2]["id"]]
    assert found(lister, f"customer={owner}&q={seven[2]['external_reference']}") == [seven[2]["id"]]
    assert found(lister, f"customer={owner}&currency=ZAR") == []
    stranger = an_account(lister, external_reference=a_reference())
    assert found(lister, f"customer={owner}&external_reference={stranger['external_reference']}") == []


def test_a_customer_without_accounts_has_an_empty_page(lister: Client) -> None:
    assert found(lister, f"customer={a_customer(lister)['id']}") == []


@pytest.mark.parametrize("name", ["nobody", "bcus_0000000000000000000000", "x" * 255, "bacc_1", "-"])
@pytest.mark.usefixtures("seven")
def test_a_customer_that_does_not_exist_gives_an_empty_page(lister: Client, name: str) -> None:
    """1.6: a filter that names an object that does not exist gives an empty page."""
    answer = listed(lister, customer=name)
    assert data(answer) == []
    assert [answer.headers.get(header) for header in ("Next-Cursor", "Prev-Cursor", "Link")] == [None] * 3


def test_another_merchants_customer_gives_an_empty_page(
    service: Service, fresh_merchant: Merchant, other: Client, customer: Json, seven: list[Json]
) -> None:
    """1.2, 1.6: to this merchant and mode it does not exist, under either name."""
    for caller in (other, service.client(fresh_merchant.keys["sk"])):
        for name in ("id", "external_reference"):
            assert data(listed(caller, customer=customer[name])) == []
        assert data(listed(caller, external_reference=seven[0]["external_reference"])) == []
        assert data(listed(caller, **{"metadata[tag]": TAG})) == []
        assert data(listed(caller, q=seven[0]["external_reference"])) == []


@pytest.mark.parametrize("value", ["", " ", "a b", "a.b", "é", "x" * 256, "a,b", "*", "%", "\x00", "a/b"])
def test_a_customer_that_cannot_be_a_name_is_400(lister: Client, value: str) -> None:
    """1.1: a query parameter that is malformed is 400; 1.3: names are 1-255 characters of `[a-zA-Z0-9_-]`."""
    refused(listed(lister, customer=value), 400, "query: customer")


def test_a_customer_that_is_made_later_is_found_from_then_on(lister: Client) -> None:
    reference = a_reference()
    assert found(lister, f"customer={reference}") == []
    made = lister.post(ACCOUNTS, a_request(customer={"external_reference": reference})).json()
    assert found(lister, f"customer={reference}") == [made["id"]]


# The other filters


@pytest.fixture(scope="module")
def meters(lister: Client) -> dict[str, Json]:
    """Accounts that differ in what a list can be filtered by."""
    owner = a_customer(lister, name="Mary Unsearchable", email="mary@meters.example", phone="+27829998888")["id"]
    return {
        "power": an_account(
            lister, customer=owner, external_reference="POWER-2024-001", name="Électricité, Main-Road", currency="ZAR",
            metadata={"plan": "premium", "region": "north"},
        ),
        "water": an_account(
            lister, customer=owner, external_reference="water_7", name="Water Main Road", currency="ZAR", balance=5,
            metadata={"plan": "premium", "region": "south", "empty": ""},
        ),
        "gas": an_account(lister, customer=owner, external_reference="GAS", currency="KES", metadata={"a=b": "c"}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("external_reference=POWER-2024-001", ["power"]),
        ("external_reference=power-2024-001", []),
        ("external_reference=POWER", []),
        ("currency=KES", ["gas"]),
        ("currency=ZAR", ["water", "power"]),
        ("metadata[plan]=premium", ["water", "power"]),
        ("metadata[plan]=Premium", []),
        ("metadata[empty]=", ["water"]),
        ("metadata[a%3Db]=c", ["gas"]),
        ("metadata[plan]=premium&metadata[region]=south", ["water"]),
        ("metadata[plan]=premium&metadata[plan]=basic", []),
        ("currency=KES&metadata[plan]=premium", []),
        ("q=main", ["water", "power"]),
        ("q=MAIN+road", ["water", "power"]),
        (f"q={quote('ÉLECTRICITÉ')}", ["power"]),
        ("q=2024", ["power"]),
        ("q=POWER-2024-001", ["power"]),
        ("q=water_7", ["water"]),
        ("q=gas", ["gas"]),
        ("q=mai", []),
        ("q=main+gas", []),
        ("q=premium", []),
        ("q=ZAR", []),
        ("q=unsearchable", []),
        ("q=mary@meters.example", []),
        ("currency=ZAR&q=water&external_reference=water_7&metadata[region]=south", ["water"]),
    ],
)
def test_filters_find(lister: Client, meters: dict[str, Json], query: str, expected: list[str]) -> None:
    """3, 1.6: the filters of customers less `email` and `phone`; `q` has the words of name and reference."""
    assert found(lister, query) == [meters[name]["id"] for name in expected]


def test_each_kind_finds_its_own(lister: Client) -> None:
    """3: a word, a currency or a metadata value of a customer finds no account, and the reverse."""
    word, currency = a_reference(), "XOF"
    customer = a_customer(lister, name=word, currency=currency, metadata={"word": word})
    account = an_account(lister, customer=customer["id"], name=word, currency=currency, metadata={"word": word})
    for query in (f"q={word}", f"currency={currency}", f"metadata[word]={word}"):
        assert found(lister, query) == [account["id"]]
        assert lister.get(f"{CUSTOMERS}?{query}").json() == {"data": [customer]}


def test_a_change_is_found_by_what_it_is_now(lister: Client) -> None:
    """1.6: filters see an object as it stands: at once by its new values, and no longer by its old ones."""
    account = an_account(lister, name="Before Change", currency="USD", metadata={"stage": "before", "keep": "it"})
    lister.merge(at(account), {"name": "After", "currency": "EUR", "metadata": {"stage": "after"}})
    for query in ("q=before", "q=change", "metadata[stage]=before", "currency=USD"):
        assert account["id"] not in found(lister, query), query
    for query in ("q=after", "metadata[stage]=after", "metadata[keep]=it", "currency=EUR"):
        assert account["id"] in found(lister, query), query
    lister.merge(at(account), {"name": None, "metadata": {"keep": None}})
    assert found(lister, "q=after") == found(lister, "metadata[keep]=it") == []


def test_times_are_exclusive_bounds(lister: Client, seven: list[Json], database: Database) -> None:
    """1.6: times are exclusive bounds, to the microsecond."""
    ids = [account["id"] for account in seven]
    rows = database.rows("SELECT id, created_at FROM account WHERE id = ANY ($1)", ids)
    middle: datetime = {row["id"]: row["created_at"] for row in rows}[ids[3]]
    step = timedelta(microseconds=1)

    def during(**bounds: datetime) -> list[str]:
        given = {name: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for name, moment in bounds.items()}
        return [account["id"] for account in data(listed(lister, customer="OWNER-1", **given))]

    assert during(created_after=middle) == ids[:3]
    assert during(created_before=middle) == ids[4:]
    assert during(created_after=middle - step, created_before=middle + step) == ids[3:4]
    assert during(created_after=middle, created_before=middle) == []


# What is no filter


@pytest.mark.parametrize(
    "name",
    ["email", "phone", "name", "customer_id", "account", "status", "balance", "due_before", "overdue", "metadata", "x"],
)
def test_what_is_no_filter_is_400(lister: Client, name: str) -> None:
    """1.1: a query parameter that is unknown is 400, and named: `email` and `phone` are none of an account."""
    refused(listed(lister, **{name: "x"}), 400, f"query: {name}")


def test_each_faulty_parameter_is_named(lister: Client) -> None:
    """1.1: unknown, given twice or malformed is 400, each fault named."""
    names = ["customer", "limit", "email", "currency", "created_after", "cursor", "metadata[]"]
    query = "&".join(f"{quote(name)}=a%20b" for name in names) + "&q=one&q=two"
    refused(lister.get(f"{ACCOUNTS}?{query}"), 400, *(f"query: {name}" for name in [*names, "q"]))


@pytest.mark.parametrize("value", ["%FF", "%ED%A0%80", "%C3", "%00", "a%00b", "%F0%9F%98%80", "x" * 2000, "%", "%zz"])
def test_no_value_of_a_filter_causes_a_500(lister: Client, value: str) -> None:
    """1.1: nothing a client sends may cause a 500."""
    for name in ("external_reference", "customer", "currency", "q", "metadata[a]", "cursor", "limit", "created_after"):
        answer = lister.get(f"{ACCOUNTS}?{name}={value}")
        assert answer.status in (200, 400), (name, answer.body)


def test_lists_have_no_etag(lister: Client) -> None:
    """1.1: lists have no ETag."""
    answer = lister.get(ACCOUNTS, If_None_Match="*")
    assert (answer.status, answer.headers.get("ETag")) == (200, None)
