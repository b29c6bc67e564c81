"""1.3: ids, external references, and path parameters that take either."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import (
    ACCOUNTS,
    BILLS,
    CUSTOMERS,
    EVERY_NOUN,
    SETTINGS,
    Noun,
    a_bill,
    a_customer,
    a_reference,
    a_request,
    an_account,
    at,
)
from tests.contract.service import Database, Service

BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@EVERY_NOUN
def test_an_id_has_its_prefix_and_22_characters_of_base_62(client: Client, noun: Noun) -> None:
    """1.3: `^bcus_[a-zA-Z0-9]+$`, `bacc_`, `bill_`; the part after the prefix is always 22 characters."""
    for _ in range(20):
        assert re.fullmatch(f"{noun.prefix}[a-zA-Z0-9]{{22}}", noun.make(client)["id"])


@EVERY_NOUN
def test_the_part_after_the_prefix_is_a_uuid_of_version_7(client: Client, database: Database, noun: Noun) -> None:
    """1.3: the part after the prefix is a UUIDv7 in base 62: its first 48 bits are the time of creation."""
    thing = noun.make(client)
    number = 0
    for character in thing["id"].removeprefix(noun.prefix):
        number = number * 62 + BASE_62.index(character)
    created = database.value(f"SELECT created_at FROM {noun} WHERE id = $1", thing["id"])
    assert number < 2**128
    assert (number >> 76) & 0xF == 7
    assert (number >> 62) & 0b11 == 0b10
    assert abs((number >> 80) - created.timestamp() * 1000) < 1000


@EVERY_NOUN
def test_ids_sort_by_time_of_creation(client: Client, noun: Noun) -> None:
    """1.3: ids sort by time of creation, byte by byte."""
    ids = [noun.make(client)["id"] for _ in range(30)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 30


@EVERY_NOUN
def test_an_events_id_has_the_documented_form(client: Client, database: Database, noun: Noun) -> None:
    """1.3: event `^evt_[a-zA-Z0-9]{20,}$` of 24 to 50 characters."""
    event = database.value("SELECT id FROM event WHERE object_id = $1", noun.make(client)["id"])
    assert re.fullmatch("evt_[a-zA-Z0-9]{20,}", event)
    assert 24 <= len(event) <= 50


@EVERY_NOUN
@pytest.mark.parametrize(
    "reference",
    [
        "a",
        "0",
        "_",
        "-",
        "-_-",
        "INV-2024-001",
        "bcus",
        "bcus-1",
        "BCUS_1",
        "bacc",
        "BACC_1",
        "bill",
        "bill-1",
        "xbcus_1",
    ],
)
def test_a_reference_may_be(client: Client, noun: Noun, reference: str) -> None:
    """1.3: 1 to 255 characters of `^[a-zA-Z0-9_-]+$`."""
    assert noun.create(client, external_reference=reference).status == 201
    assert client.get(f"{noun.path}/{reference}").json()["external_reference"] == reference


@EVERY_NOUN
@pytest.mark.parametrize("prefix", ["bcus_", "bacc_", "bill_", "pay_", "evt_"])
def test_only_one_prefix_is_reserved(client: Client, noun: Noun, prefix: str) -> None:
    """1.3: a customer's or a bill's reference may not begin with `bcus_`, an account's not with `bacc_` (400)."""
    reference = a_reference()
    for rest in (reference, reference[4:26], reference[4:5] * 200 + reference):
        answer = noun.create(client, external_reference=prefix + rest)
        if prefix == noun.reserved:
            assert (answer.status, answer.pointers) == (400, ["/external_reference"])
        else:
            assert answer.status == 201
            assert client.get(f"{noun.path}/{prefix}{rest}").json() == answer.json()


@EVERY_NOUN
@pytest.mark.parametrize("rest", ["", "1", "_", "H4jp6KnU5cPw263v1jyz4", "0" * 22])
def test_nothing_that_begins_with_the_reserved_prefix_is_a_reference(client: Client, noun: Noun, rest: str) -> None:
    answer = noun.create(client, external_reference=noun.reserved + rest)
    assert (answer.status, answer.pointers) == (400, ["/external_reference"])


def test_an_id_is_tried_before_a_reference(client: Client) -> None:
    """1.3: the id is tried first: a bill's reference may be another bill's id, and then does not name it."""
    first = a_bill(client)
    second = a_bill(client, external_reference=first["id"])
    assert client.get(f"{BILLS}/{first['id']}").json() == first
    assert client.get(f"{BILLS}/{second['id']}").json() == second
    changed = client.patch(f"{BILLS}/{first['id']}", {"metadata": {"a": "b"}}).json()
    assert changed["external_reference"] == first["external_reference"]
    assert client.get(f"{BILLS}/{second['id']}").json() == second


def test_names_are_of_their_kind(client: Client) -> None:
    """1.3: an id or a reference of one kind names nothing of another, and may be a reference there."""
    customer = a_customer(client)
    account = an_account(client, customer=customer["id"], external_reference=customer["id"])
    bill = a_bill(client, account=account["id"], external_reference=account["id"])
    assert client.get(f"{ACCOUNTS}/{customer['id']}").json() == account
    assert client.get(f"{BILLS}/{account['id']}").json() == bill
    for path, name in ((BILLS, customer["id"]), (ACCOUNTS, bill["id"]), (CUSTOMERS, account["id"])):
        assert client.get(f"{path}/{name}").status == 404
    assert a_bill(client, account=customer["id"])["account_id"] == account["id"]


@EVERY_NOUN
def test_a_reference_has_up_to_255_characters(client: Client, noun: Noun) -> None:
    reference = a_reference().ljust(255, "x")
    assert noun.make(client, external_reference=reference)["external_reference"] == reference
    assert client.get(f"{noun.path}/{reference}").status == 200


@EVERY_NOUN
@pytest.mark.parametrize(
    "reference",
    [
        "", " ", "a b", "a.b", "a/b", "a\n", "\na", "a\t", "é", "\uff11", "\u0430", "a%20b", "a+b", "a:b", "x" * 256,
        1, 1.5, True, [], {}, ["a"],
    ],
)  # fmt: skip
def test_a_reference_may_not_be(client: Client, noun: Noun, reference: object) -> None:
    """1.3: anything else is refused (400)."""
    answer = noun.create(client, external_reference=reference)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.pointers == ["/external_reference"]


@EVERY_NOUN
def test_a_reference_is_required(client: Client, noun: Noun) -> None:
    """1.3: `external_reference` is required."""
    request = noun.more(client)
    for more in ({}, {"metadata": {"name": "John Doe"}}, {"external_reference": None}):
        answer = client.post(noun.path, request | more)
        assert (answer.status, answer.pointers) == (400, ["/external_reference"])


@EVERY_NOUN
def test_a_reference_is_unique_within_the_merchant_and_mode(
    client: Client, live: Client, other: Client, noun: Noun
) -> None:
    """1.3: a duplicate gets 409 `conflict`; another merchant may have the same, and so may the other mode."""
    thing = noun.make(client)
    reference = thing["external_reference"]
    duplicate = noun.create(client, external_reference=reference, metadata={"which": "another"})
    assert (duplicate.status, duplicate.code) == (409, "conflict")
    assert client.get(at(thing)).json() == thing
    for caller in (live, other):
        assert noun.make(caller, external_reference=reference)["id"] != thing["id"]


@EVERY_NOUN
def test_a_duplicates_problem_points_to_the_reference(client: Client, noun: Noun) -> None:
    """1.5: 404, 409 and 422 carry `errors` too where a pointer helps."""
    thing = noun.make(client)
    duplicate = noun.create(client, external_reference=thing["external_reference"])
    assert duplicate.pointers == ["/external_reference"]
    assert str(noun) in duplicate.json()["detail"]


def test_one_reference_serves_every_kind(client: Client) -> None:
    """1.3: unique per kind of object."""
    reference = a_reference()
    customer = a_customer(client, external_reference=reference)
    account = an_account(client, external_reference=reference, customer=reference)
    bill = a_bill(client, external_reference=reference, account=reference)
    for path, thing in ((CUSTOMERS, customer), (ACCOUNTS, account), (BILLS, bill)):
        assert client.get(f"{path}/{reference}").json() == thing
    assert (bill["customer_id"], bill["account_id"]) == (customer["id"], account["id"])


@EVERY_NOUN
def test_references_differ_by_case(client: Client, noun: Noun) -> None:
    upper, lower = a_reference().upper(), a_reference().lower()
    first = noun.make(client, external_reference=upper)
    second = noun.make(client, external_reference=upper.lower())
    assert client.get(f"{noun.path}/{upper}").json() == first
    assert client.get(f"{noun.path}/{upper.lower()}").json() == second
    assert client.get(f"{noun.path}/{lower}").status == 404


@EVERY_NOUN
@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_duplicates_exactly_one_is_created(
    service: Service, two_workers: Service, client: Client, workers: int, database: Database, noun: Noun
) -> None:
    """1.3: unique, also while requests race each other through one worker or two."""
    assert client.key is not None
    caller = (service if workers == 1 else two_workers).client(client.key)
    requests = [noun.request(client) for _ in range(5)]
    with ThreadPoolExecutor(10) as pool:
        statuses = [
            [answer.status for answer in pool.map(lambda _, sent=request: caller.post(noun.path, sent), range(10))]
            for request in requests
        ]
    caller.close()
    assert [sorted(each) for each in statuses] == [[201] + [409] * 9] * 5
    references = [request["external_reference"] for request in requests]
    counted = f"SELECT count(*) FROM {noun} WHERE external_reference = ANY ($1)"
    assert database.value(counted, references) == 5


@EVERY_NOUN
def test_a_path_takes_the_id_or_the_reference(client: Client, noun: Noun) -> None:
    """1.3: a path parameter takes either the id or the external reference."""
    thing, change = noun.make(client), {"metadata": {"either": "or"}}
    by_reference = f"{noun.path}/{thing['external_reference']}"
    assert client.get(at(thing)).json() == client.get(by_reference).json() == thing
    assert client.patch(by_reference, change).json() == thing | change
    assert client.get(at(thing)).json() == thing | change


@EVERY_NOUN
def test_a_path_parameter_may_be_percent_encoded(client: Client, noun: Noun) -> None:
    """RFC 3986, 2.3: what is percent-encoded without need is the same name."""
    thing = noun.make(client)
    for name in (thing["id"], thing["external_reference"]):
        encoded = "".join(f"%{byte:02X}" for byte in name.encode())
        assert client.get(f"{noun.path}/{encoded}").json() == thing
        assert client.get(f"{noun.path}/{encoded.lower()}").json() == thing


WEIRD = [
    "nobody",
    "bcus_",
    "bcus_x",
    "bcus_0000000000000000000000",
    "bcus_zzzzzzzzzzzzzzzzzzzzzz",
    "bcus_" + "1" * 300,
    "x" * 256,
    "x" * 3000,
    "%00",
    "a%00b",
    "%0A",
    "%20",
    "%FF%FE",
    "%ED%A0%80",
    "%C0%AF",
    "%F0%9F%98%80",
    quote("é"),
    "a%2Fb",
    "..%2F..%2Fmetrics",
    "%2e%2e",
    "%25",
    "'%20OR%20'1'='1",
    "$1",
    "null",
    "*",
    "a,b",
    "a;b",
    "~",
]


@EVERY_NOUN
@pytest.mark.parametrize(
    "name", [*WEIRD, "bacc_", "bacc_0000000000000000000000", "bill_", "bill_0000000000000000000000"]
)
def test_a_path_that_names_nobody_is_not_found(client: Client, noun: Noun, name: str) -> None:
    """1.5: 404 `not_found`: no such customer, account or bill, however strange the name."""
    path = f"{noun.path}/{name.replace('bcus_', noun.prefix)}"
    answers = [client.get(path), client.patch(path, {"metadata": {"a": "b"}})]
    if noun.path == BILLS:
        answers.append(client.send("POST", f"{path}/void"))
    for answer in answers:
        assert (answer.status, answer.code) == (404, "not_found")


@EVERY_NOUN
def test_the_name_of_an_object_is_taken_whole(client: Client, noun: Noun) -> None:
    """1.3: what merely resembles a name is another name."""
    thing = noun.make(client)
    for name in (thing["id"], thing["external_reference"]):
        for near in (name[:-1], name + "x", name + "%20", "%20" + name, name + "%00", name.swapcase(), name + "%0A"):
            assert client.get(f"{noun.path}/{near}").status == 404, near


# Isolation


@pytest.fixture(params=["another merchant", "the other mode"])
def stranger(request: pytest.FixtureRequest, live: Client, other: Client) -> Client:
    """A caller to whom nothing of the test client's exists."""
    return other if request.param == "another merchant" else live


@EVERY_NOUN
@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_what_belongs_to_another_is_not_found_by_any_path(
    client: Client, stranger: Client, noun: Noun, name: str
) -> None:
    """1.2, 1.5: no such customer, account or bill in this merchant and mode: GET, HEAD, PATCH and void."""
    thing = noun.make(client, metadata={"Secret": "ours"})
    path = f"{noun.path}/{thing[name]}"
    etag = client.get(path).etag
    answers = [
        stranger.get(path),
        stranger.get(path, If_None_Match=etag),
        stranger.send("HEAD", path),
        stranger.patch(path, {"metadata": {"Secret": "mine"}}),
        stranger.patch(path, {"metadata": {"Secret": "mine"}}, If_Match=etag),
        stranger.merge(path, {"metadata": {"Secret": None}}),
    ]
    if noun.path == BILLS:
        answers += [stranger.send("POST", f"{path}/void"), stranger.post(f"{path}/void", {})]
    for answer in answers:
        assert answer.status == 404
        assert b"Secret" not in answer.body
    got = client.get(path)
    assert (got.json(), got.etag) == (thing, etag)


@EVERY_NOUN
def test_what_belongs_to_another_is_in_no_list(client: Client, stranger: Client, noun: Noun) -> None:
    """1.2, 1.6: it is on no page, by no filter."""
    word = a_reference()
    customer = a_customer(client, email=f"{word}@example.com", phone="+27820000001", metadata={"only": word})
    account = an_account(client, customer=customer["id"], metadata={"only": word})
    bill = a_bill(client, account=account["id"], metadata={"only": word})
    thing = {CUSTOMERS: customer, ACCOUNTS: account, BILLS: bill}[noun.path]
    queries = [f"external_reference={thing['external_reference']}", f"q={thing['external_reference']}"]
    queries.append(f"metadata[only]={word}")
    if noun.path == CUSTOMERS:
        queries += [f"email={word}@example.com", f"q={word}@example.com"]
    else:
        queries += [f"customer={customer[name]}" for name in ("id", "external_reference")]
    if noun.path == BILLS:
        queries += [f"account={account[name]}" for name in ("id", "external_reference")]
    for query in queries:
        assert client.get(f"{noun.path}?{query}").json() == {"data": [thing]}, query
        assert stranger.get(f"{noun.path}?{query}").json() == {"data": []}, query
    everything = stranger.get(f"{noun.path}?limit=100").json()["data"]
    assert thing["id"] not in {other["id"] for other in everything}


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_what_belongs_to_another_cannot_be_named_in_a_body(client: Client, stranger: Client, name: str) -> None:
    """1.3: an object named in a body that does not exist is 404: to this merchant and mode it does not."""
    account = an_account(client)
    customer = client.get(f"{CUSTOMERS}/{account['customer_id']}").json()
    bill: Json = {"currency": "ZAR", "amount_due": 5}
    own = a_customer(stranger)
    for path, request, place in (
        (ACCOUNTS, {"customer": customer[name]}, "/customer"),
        (BILLS, bill | {"customer": customer[name]}, "/customer"),
        (BILLS, bill | {"account": account[name]}, "/account"),
        (BILLS, bill | {"account": a_request(customer=customer[name])}, "/account/customer"),
        (BILLS, bill | {"customer": customer[name], "account": a_request()}, "/customer"),
    ):
        answer = stranger.post(path, a_request(**request))
        assert (answer.status, answer.code, answer.pointers) == (404, "not_found", [place])
        assert client.get(f"{path}?customer={customer['id']}").json()["data"] in ([], [account])
    assert stranger.get(f"{ACCOUNTS}?customer={own['id']}").json() == {"data": []}


def test_settings_of_another_are_not_touched(client: Client, stranger: Client) -> None:
    """1.2, 5: settings are a merchant's in one mode."""
    before = client.get(SETTINGS)
    changed = stranger.patch(SETTINGS, {"time_zone": "Asia/Kathmandu"})
    assert changed.status == 200
    assert (client.get(SETTINGS).body, client.get(SETTINGS).etag) == (before.body, before.etag)
    assert stranger.patch(SETTINGS, {"time_zone": "UTC"}).status == 200
