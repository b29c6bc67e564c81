"""1.6 and 2: GET /billing/customers, its pages and its filters."""

import base64
import re
import string
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import CUSTOMERS, a_customer, a_reference, at
from tests.contract.service import Database, Merchant, Service

TAG = a_reference()


@pytest.fixture(scope="module")
def lister(service: Service, fresh_merchant: Merchant) -> Client:
    """A caller whose merchant has only the customers of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


@pytest.fixture(scope="module")
def lister_live(service: Service, fresh_merchant: Merchant) -> Client:
    return service.client(fresh_merchant.keys["sk"])


@pytest.fixture(scope="module")
def seven(lister: Client) -> list[Json]:
    """Seven customers with a tag of their own, newest first."""
    return [a_customer(lister, metadata={"tag": TAG, "number": str(n)}) for n in range(7)][::-1]


def listed(client: Client, **query: str | int) -> Answer:
    return client.get(f"{CUSTOMERS}?{urlencode(query)}")


def tagged(client: Client, **query: str | int) -> Answer:
    """List the seven."""
    return listed(client, **{"metadata[tag]": TAG}, **query)


def data(answer: Answer) -> list[Json]:
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"data"}
    found: list[Json] = answer.json()["data"]
    return found


def found(client: Client, query: str) -> list[str]:
    """Return the ids that a raw query finds."""
    return [customer["id"] for customer in data(client.get(f"{CUSTOMERS}?{query}"))]


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert answer.pointers == list(pointers), answer.body


# Pages


def test_a_list_is_an_object_with_data_newest_first(lister: Client, seven: list[Json]) -> None:
    """1.6: body `{"data": [...]}`; newest first; each as a retrieve shows it."""
    assert data(tagged(lister)) == seven
    assert [lister.get(at(customer)).json() for customer in seven] == seven


def test_a_list_of_nothing_is_empty(service: Service) -> None:
    nobody = service.client(service.merchant("Empty").keys["sk_test"])
    answer = nobody.get(CUSTOMERS)
    assert data(answer) == []
    assert [answer.headers.get(name) for name in ("Next-Cursor", "Prev-Cursor", "Link")] == [None] * 3


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
def test_pages_go_forward_and_back_through_everything(lister: Client, seven: list[Json], limit: int) -> None:
    """1.6: `Next-Cursor` and `Prev-Cursor`, absent at the ends; each row is seen once, in either direction."""
    answer = tagged(lister, limit=limit)
    assert "Prev-Cursor" not in answer.headers
    pages = [data(answer)]
    while cursor := answer.headers.get("Next-Cursor"):
        answer = tagged(lister, limit=limit, cursor=cursor)
        pages.append(data(answer))
    assert [customer for page in pages for customer in page] == seven
    assert all(len(page) == limit for page in pages[:-1])
    back = [data(answer)]
    while cursor := answer.headers.get("Prev-Cursor"):
        answer = tagged(lister, limit=limit, cursor=cursor)
        back.insert(0, data(answer))
    assert back == pages


def test_the_default_limit_is_20(lister: Client) -> None:
    """1.6: `?limit=` (1 to 100, default 20)."""
    tag = a_reference()
    for _ in range(21):
        a_customer(lister, metadata={"many": tag})
    answer = listed(lister, **{"metadata[many]": tag})
    assert len(data(answer)) == 20
    assert len(data(listed(lister, **{"metadata[many]": tag}, cursor=answer.header("Next-Cursor")))) == 1
    assert len(data(listed(lister, **{"metadata[many]": tag}, limit=100))) == 21


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "-1",
        "101",
        "1000",
        "9" * 50,
        "1.0",
        "1.5",
        "abc",
        "",
        "%2B5",
        "1e1",
        "%EF%BC%91",
        "5%20",
        "%205",
        "0x5",
        "1_0",
        "null",
    ],
)
def test_a_limit_out_of_bounds_is_400(lister: Client, limit: str) -> None:
    """1.6: `?limit=` (1 to 100)."""
    refused(lister.get(f"{CUSTOMERS}?limit={limit}"), "query: limit")


def links(answer: Answer) -> dict[str, str]:
    pattern = r'<([^>]+)>\s*;\s*rel="?(\w+)"?'
    return {relation: target for target, relation in re.findall(pattern, answer.headers.get("Link", ""))}


def follow(client: Client, target: str) -> Answer:
    parts = urlsplit(target)
    assert parts.path == CUSTOMERS
    return client.get(f"{parts.path}?{parts.query}")


def test_links_lead_to_the_same_pages_as_the_cursors(lister: Client, seven: list[Json]) -> None:
    """1.6: also RFC 8288 `Link` headers, `next` and `prev`, which keep limit and filters."""
    first = tagged(lister, limit=3)
    assert set(links(first)) == {"next"}
    second = follow(lister, links(first)["next"])
    assert data(second) == seven[3:6]
    assert set(links(second)) == {"next", "prev"}
    third = follow(lister, links(second)["next"])
    assert (data(third), set(links(third))) == (seven[6:], {"prev"})
    assert data(follow(lister, links(second)["prev"])) == seven[:3]


def test_pages_stay_right_while_rows_are_added(lister: Client) -> None:
    """1.6: pages stay right while rows are added: none is skipped, none is shown twice, and the new ones lie before."""
    value = a_reference()
    tag = {"metadata[moving]": value}
    old = [a_customer(lister, metadata={"moving": value}) for _ in range(6)][::-1]
    first = listed(lister, **tag, limit=2)
    new = [a_customer(lister, metadata={"moving": value}) for _ in range(3)][::-1]
    second = listed(lister, **tag, limit=2, cursor=first.header("Next-Cursor"))
    assert data(first) + data(second) == old[:4]
    again = listed(lister, **tag, limit=2, cursor=second.header("Prev-Cursor"))
    assert data(again) == old[:2]
    before = listed(lister, **tag, limit=2, cursor=again.header("Prev-Cursor"))
    assert data(before) == new[1:]
    assert data(listed(lister, **tag, limit=2, cursor=before.header("Prev-Cursor"))) == new[:1]


# Cursors


def test_another_limit_under_a_cursor_is_fine(lister: Client, seven: list[Json]) -> None:
    """1.6: another `limit` under it is fine."""
    cursor = tagged(lister, limit=2).header("Next-Cursor")
    assert data(tagged(lister, limit=5, cursor=cursor)) == seven[2:7]
    assert data(tagged(lister, limit=1, cursor=cursor)) == seven[2:3]
    assert data(tagged(lister, cursor=cursor)) == seven[2:7]


@pytest.mark.usefixtures("seven")
def test_a_cursor_belongs_to_its_filters(lister: Client) -> None:
    """1.6: a cursor belongs to its filters; any other gets 400."""
    cursor = tagged(lister, limit=2).header("Next-Cursor")
    everything = listed(lister, limit=2).header("Next-Cursor")
    for query in (
        {"metadata[tag]": "other"},
        {"metadata[gat]": TAG},
        {"metadata[tag]": TAG, "currency": "ZAR"},
        {"metadata[tag]": TAG, "q": "x"},
        {"metadata[tag]": TAG, "created_after": "2020-01-01T00:00:00Z"},
        {"q": TAG},
        {},
    ):
        refused(listed(lister, **query, cursor=cursor), "query: cursor")
    refused(tagged(lister, cursor=everything), "query: cursor")


@pytest.mark.usefixtures("seven")
def test_a_cursor_belongs_to_its_merchant_and_its_mode(lister: Client, lister_live: Client, other: Client) -> None:
    """1.6: a cursor belongs to its merchant and mode; any other gets 400."""
    cursor = listed(lister, limit=2).header("Next-Cursor")
    refused(listed(other, cursor=cursor), "query: cursor")
    refused(listed(lister_live, cursor=cursor), "query: cursor")


@pytest.mark.usefixtures("seven")
def test_a_cursor_is_authenticated(lister: Client) -> None:
    """1.6: a cursor is authenticated: changed anywhere, it gets 400."""
    cursor = tagged(lister, limit=2).header("Next-Cursor")
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        refused(tagged(lister, cursor=changed), "query: cursor")
    for last in set(string.ascii_letters + string.digits + "-_=") - {cursor[-1]}:
        refused(tagged(lister, cursor=cursor[:-1] + last), "query: cursor")
    for changed in (
        "",
        "x",
        cursor[:-1],
        cursor + "A",
        cursor + "=",
        cursor * 2,
        cursor[::-1],
        " " + cursor,
        "é",
        "\x00",
        "A" * 3000,
    ):
        refused(tagged(lister, cursor=changed), "query: cursor")


def test_a_cursor_is_opaque(lister: Client, seven: list[Json]) -> None:
    """1.6: a cursor is opaque: an id or a number that a client made up is none."""
    for made_up in (seven[2]["id"], "2", base64.urlsafe_b64encode(seven[2]["id"].encode()).decode(), "bcus_"):
        refused(tagged(lister, cursor=made_up), "query: cursor")


def test_a_cursor_works_on_every_worker(two_workers: Service, lister: Client, seven: list[Json]) -> None:
    cursor = tagged(lister, limit=2).header("Next-Cursor")
    for _ in range(6):
        assert data(tagged(two_workers.client(lister.key), limit=2, cursor=cursor)) == seven[2:4]


# Filters


@pytest.fixture(scope="module")
def people(lister: Client) -> dict[str, Json]:
    """Customers that differ in what a list can be filtered by."""
    return {
        "mary": a_customer(
            lister, external_reference="MARY-2024-001", name="Mary O'Hara-Smith", email="mary.smith@people.example",
            phone="+27821112222",
            currency="ZAR", metadata={"plan": "premium", "region": "north"},
        ),
        "zoe": a_customer(
            lister, external_reference="zoe_7", name="Zoë Élan Smith", email="zoe@people.example",
            phone="+27821113333", currency="ZAR",
            metadata={"plan": "premium", "region": "south", "empty": ""},
        ),
        "acme": a_customer(
            lister, external_reference="ACME", name="ACME (Pty) Ltd", email="Mary.Smith@people.example", currency="KES",
            metadata={"plan": "basic", "a=b": "c", "x[y]": "&%+ é"},
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("external_reference=MARY-2024-001", ["mary"]),
        ("external_reference=mary-2024-001", []),
        ("external_reference=MARY", []),
        ("email=mary.smith@people.example", ["mary"]),
        ("email=zoe%40people.example", ["zoe"]),
        ("phone=%2B27821112222", ["mary"]),
        ("phone=%2B2782111222", []),
        ("currency=KES", ["acme"]),
        ("currency=ZAR", ["zoe", "mary"]),
        ("currency=USD", []),
        ("metadata[plan]=premium", ["zoe", "mary"]),
        ("metadata%5Bplan%5D=premium", ["zoe", "mary"]),
        ("metadata[plan]=prem", []),
        ("metadata[plan]=Premium", []),
        ("metadata[Plan]=premium", []),
        ("metadata[unheard]=of", []),
        ("metadata[empty]=", ["zoe"]),
        ("metadata[plan]=", []),
        ("metadata[a]=b=c", []),
        ("metadata[a%3Db]=c", ["acme"]),
        (f"metadata[x[y]]={quote('&%+ é')}", ["acme"]),
        ("metadata[plan]=premium&metadata[region]=south", ["zoe"]),
        ("metadata[plan]=premium&metadata[region]=west", []),
        ("metadata[plan]=premium&metadata[plan]=basic", []),
        ("metadata[plan]=premium&metadata[plan]=premium", ["zoe", "mary"]),
        ("currency=ZAR&q=mary", ["mary"]),
        ("currency=KES&metadata[plan]=premium", []),
        ("email=mary.smith@people.example&currency=KES", []),
        (
            "external_reference=ACME&email=Mary.Smith@people.example&currency=KES&metadata[plan]=basic&q=acme+ltd",
            ["acme"],
        ),
    ],
)
def test_filters_find(lister: Client, people: dict[str, Json], query: str, expected: list[str]) -> None:
    """1.6, 2: several filters all hold at once, a metadata filter may be repeated; each compares the whole value."""
    assert found(lister, query) == [people[name]["id"] for name in expected]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mary", ["acme", "mary"]), ("MARY", ["acme", "mary"]), ("hara", ["mary"]), ("smith", ["acme", "zoe", "mary"]),
        ("smith mary", ["acme", "mary"]), ("mary zoe", []), ("mar", []), ("smit", []), ("mith", []), ("zoë", ["zoe"]),
        ("ZOË", ["zoe"]),
        ("élan", ["zoe"]), ("ÉLAN smith", ["zoe"]), ("pty", ["acme"]), ("acme", ["acme"]),
        ("people", ["acme", "zoe", "mary"]),
        ("zoe@people.example", ["zoe"]), ("mary.smith@people.example", ["acme", "mary"]), ("MARY-2024-001", ["mary"]),
        ("2024", ["mary"]),
        ("+27821113333", ["zoe"]), ("27821113333", ["zoe"]), ("zoe_7", ["zoe"]), ("premium", []), ("ZAR", []),
        ("  smith   ltd ", ["acme"]),
        ("nobody", []), ("%", None), ("sm_th", []), ("mary OR zoe", []), ("'; --", None),
        ("smith " * 20, ["acme", "zoe", "mary"]),
    ],
)  # fmt: skip
def test_every_word_must_occur_whole_in_any_case(
    lister: Client, people: dict[str, Json], words: str, expected: list[str] | None
) -> None:
    """1.6, 2: `q`: every word must occur, whole, in any case; words of name, e-mail, phone, reference."""
    answer = listed(lister, q=words)
    if expected is None:  # there is no word in it
        assert answer.status in (200, 400)
    else:
        assert [customer["id"] for customer in data(answer)] == [people[name]["id"] for name in expected]


@pytest.mark.parametrize(
    "query",
    [
        "external_reference=nobody", "email=nobody@example.com", "phone=%2B999", "currency=XAF", "metadata[a]=nobody",
        "q=nobodyatall",
        "created_after=2999-01-01T00:00:00Z", "created_before=1999-01-01T00:00:00Z",
        "created_after=2024-01-02T00:00:00Z&created_before=2024-01-01T00:00:00Z",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("seven")
def test_a_filter_on_nothing_gives_an_empty_page(lister: Client, query: str) -> None:
    """1.6: a filter that names an object that does not exist gives an empty page."""
    answer = lister.get(f"{CUSTOMERS}?{query}")
    assert data(answer) == []
    assert [answer.headers.get(name) for name in ("Next-Cursor", "Prev-Cursor", "Link")] == [None] * 3


def test_a_change_is_found_by_what_it_is_now(lister: Client) -> None:
    """2: filters see an object as it stands: at once by its new values, and no longer by its old ones."""
    customer = a_customer(
        lister,
        name="Before Change",
        email="before@change.example",
        phone="+4911",
        metadata={"stage": "before", "keep": TAG},
    )
    lister.merge(
        at(customer),
        {"name": "After Change", "email": "after@change.example", "phone": None, "metadata": {"stage": "after"}},
    )
    for query in ("q=before", "email=before@change.example", "phone=%2B4911", "metadata[stage]=before", "q=4911"):
        assert found(lister, query) == [], query
    for query in (
        "q=after+change",
        "email=after@change.example",
        "metadata[stage]=after",
        f"metadata[keep]={TAG}",
        "q=after@change.example",
    ):
        assert found(lister, query) == [customer["id"]], query


def test_words_that_only_one_of_two_members_lost_are_still_found(lister: Client) -> None:
    customer = a_customer(lister, name="Solo Unique", email="unique@solo.example")
    lister.patch(at(customer), {"name": "Somebody"})
    assert found(lister, "q=unique+solo") == [customer["id"]]
    lister.merge(at(customer), {"email": None})
    assert found(lister, "q=unique") == []


def test_a_word_of_any_script_is_one_word(lister: Client) -> None:
    """1.6: whole words, also where vowels are marks upon their consonants."""
    word = a_customer(lister, name="\u0939\u093f\u0928\u094d\u0926\u0940")
    a_customer(lister, name="\u0939 \u0928 \u0926")
    assert found(lister, f"q={quote(word['name'])}") == [word["id"]]


# Times


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_times_are_exclusive_bounds(lister: Client, seven: list[Json], database: Database) -> None:
    """1.6: times are exclusive bounds, to the microsecond."""
    rows = database.rows(
        "SELECT id, created_at FROM customer WHERE id = ANY ($1)", [customer["id"] for customer in seven]
    )
    created = {row["id"]: row["created_at"] for row in rows}
    ids = [customer["id"] for customer in seven]
    middle, step = created[ids[3]], timedelta(microseconds=1)
    for query, expected in (
        ({"created_after": iso(middle)}, ids[:3]),
        ({"created_before": iso(middle)}, ids[4:]),
        ({"created_after": iso(middle - step)}, ids[:4]),
        ({"created_before": iso(middle + step)}, ids[3:]),
        ({"created_after": iso(middle - step), "created_before": iso(middle + step)}, ids[3:4]),
        ({"created_after": iso(middle), "created_before": iso(middle)}, []),
    ):
        assert [customer["id"] for customer in data(tagged(lister, **query))] == expected


@pytest.mark.parametrize("name", ["created_after", "created_before"])
@pytest.mark.parametrize(
    "value",
    [
        "", "yesterday", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00+02:00",
        "2024-01-01 00:00:00Z",
        "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z",
        "20240101T000000Z", "1704067200", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00Z\n", " 2024-01-01T00:00:00Z", "\uff12\uff10\uff12\uff14-01-01T00:00:00Z",
        "2024-W01-1T00:00:00Z", "2024-001T00:00:00Z", "now", "infinity",
    ],
)  # fmt: skip
def test_a_malformed_time_is_400(lister: Client, name: str, value: str) -> None:
    """1.1: a query parameter that is malformed is 400; timestamps in a query end in `Z`."""
    refused(listed(lister, **{name: value}), f"query: {name}")


@pytest.mark.parametrize("value",
["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.123456Z", "2024-02-29T23:59:59Z",
                                   "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])  # fmt: skip
def test_a_time_may_be(lister: Client, seven: list[Json], value: str) -> None:
    """1.1: timestamps are ISO 8601 in UTC with a `Z`."""
    assert data(tagged(lister, created_after=value)) == seven
    assert data(tagged(lister, created_before=value)) == []


def test_the_last_moment_is_a_time(lister: Client) -> None:
    assert data(listed(lister, created_after="9999-12-31T23:59:59.999999Z")) == []


# What is no filter


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("metadata=x", "metadata"),
        ("metadata[a]=" + "x" * 501, "metadata[a]"),
        (f"metadata[{'k' * 41}]=x", f"metadata[{'k' * 41}]"), ("metadata[]=x", "metadata[]"),
        ("metadata[a=x", "metadata[a"),
        ("metadata[a=b]=c", "metadata[a"), ("metadata]=x", "metadata]"),
        ("Metadata[a]=x", "Metadata[a]"), ("metadata[a]b=x", "metadata[a]b"), ("name=x", "name"),
        ("status=x", "status"), ("balance=1", "balance"),
        ("sort=name", "sort"), ("offset=1", "offset"), ("Limit=1", "Limit"), ("id=bcus_1", "id"), ("q%20=x", "q "),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_400(lister: Client, query: str, name: str) -> None:
    """1.1: a query parameter that is unknown is 400, and named."""
    refused(lister.get(f"{CUSTOMERS}?{query}"), f"query: {name}")


@pytest.mark.parametrize(
    "name", ["external_reference", "email", "phone", "currency", "q", "metadata[a]", "cursor", "limit", "created_after"]
)
@pytest.mark.parametrize(
    "value",
    ["%FF", "%ED%A0%80", "%C3", "%00", "a%00b", "%00%FF", "%F0%9F%98%80", "%EF%BF%BF", "x" * 2000, "%25", "%", "%zz"],
)
def test_no_value_of_a_filter_causes_a_500(lister: Client, name: str, value: str) -> None:
    """1.1: nothing a client sends may cause a 500; text that is not UTF-8 is malformed."""
    answer = lister.get(f"{CUSTOMERS}?{name}={value}")
    assert answer.status in (200, 400)
    if value in ("%FF", "%ED%A0%80", "%C3", "%00%FF"):
        refused(answer, f"query: {name}")
    elif answer.status == 200 and name != "q":
        assert data(answer) == []
