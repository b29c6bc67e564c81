"""1.3: ids, external references, and path parameters that take either."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.contract.client import Client
from tests.contract.samples import CUSTOMERS, a_customer, a_reference, a_request, at
from tests.contract.service import Database, Service

BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_customers_id_has_its_prefix_and_22_characters_of_base_62(client: Client) -> None:
    """1.3: `^bcus_[a-zA-Z0-9]+$`; the part after the prefix is always 22 characters."""
    for _ in range(20):
        assert re.fullmatch("bcus_[a-zA-Z0-9]{22}", a_customer(client)["id"])


def test_the_part_after_the_prefix_is_a_uuid_of_version_7(client: Client, database: Database) -> None:
    """1.3: the part after the prefix is a UUIDv7 in base 62: its first 48 bits are the time of creation."""
    customer = a_customer(client)
    number = 0
    for character in customer["id"].removeprefix("bcus_"):
        number = number * 62 + BASE_62.index(character)
    created = database.value("SELECT created_at FROM customer WHERE id = $1", customer["id"])
    assert number < 2**128
    assert (number >> 76) & 0xF == 7
    assert (number >> 62) & 0b11 == 0b10
    assert abs((number >> 80) - created.timestamp() * 1000) < 1000


def test_ids_sort_by_time_of_creation(client: Client) -> None:
    """1.3: ids sort by time of creation, byte by byte."""
    ids = [a_customer(client)["id"] for _ in range(30)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 30


def test_an_events_id_has_the_documented_form(client: Client, database: Database) -> None:
    """1.3: event `^evt_[a-zA-Z0-9]{20,}$` of 24 to 50 characters."""
    customer = a_customer(client)
    event = database.value("SELECT id FROM event WHERE object_id = $1", customer["id"])
    assert re.fullmatch("evt_[a-zA-Z0-9]{20,}", event)
    assert 24 <= len(event) <= 50


@pytest.mark.parametrize("reference", ["a", "0", "_", "-", "-_-", "INV-2024-001", "bcus", "bcus-1", "BCUS_1", "bacc_1"])
def test_a_reference_may_be(client: Client, reference: str) -> None:
    """1.3: 1 to 255 characters of `^[a-zA-Z0-9_-]+$`; only `bcus_` is reserved for a customer."""
    answer = client.post(CUSTOMERS, {"external_reference": reference})
    assert answer.status == 201
    assert client.get(f"{CUSTOMERS}/{reference}").json()["external_reference"] == reference


def test_a_reference_has_up_to_255_characters(client: Client) -> None:
    reference = a_reference().ljust(255, "x")
    assert a_customer(client, external_reference=reference)["external_reference"] == reference
    assert client.get(f"{CUSTOMERS}/{reference}").status == 200


@pytest.mark.parametrize(
    "reference",
    [
        "", " ", "a b", "a.b", "a/b", "a\n", "\na", "a\t", "é", "\uff11", "\u0430", "a%20b", "a+b", "a:b", "x" * 256,
        "bcus_", "bcus_1", "bcus_H4jp6KnU5cPw263v1jyz4", 1, 1.5, True, [], {}, ["a"],
    ],
)  # fmt: skip
def test_a_reference_may_not_be(client: Client, reference: object) -> None:
    """1.3: anything else is refused (400), and so is the reserved prefix `bcus_`."""
    answer = client.post(CUSTOMERS, {"external_reference": reference})
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.pointers == ["/external_reference"]


def test_a_reference_is_required(client: Client) -> None:
    """1.3: `external_reference` is required."""
    for request in ({}, {"name": "John Doe"}, {"external_reference": None}):
        answer = client.post(CUSTOMERS, request)
        assert (answer.status, answer.pointers) == (400, ["/external_reference"])


def test_a_reference_is_unique_within_the_merchant(client: Client, other: Client) -> None:
    """1.3: a duplicate gets 409 `conflict`; another merchant may have the same."""
    customer = a_customer(client)
    duplicate = client.post(CUSTOMERS, {"external_reference": customer["external_reference"], "name": "Another"})
    assert (duplicate.status, duplicate.code) == (409, "conflict")
    assert client.get(at(customer)).json() == customer
    assert other.post(CUSTOMERS, {"external_reference": customer["external_reference"]}).status == 201


def test_a_duplicates_problem_points_to_the_reference(client: Client) -> None:
    """1.5: 404, 409 and 422 carry `errors` too where a pointer helps."""
    customer = a_customer(client)
    duplicate = client.post(CUSTOMERS, {"external_reference": customer["external_reference"]})
    assert duplicate.pointers == ["/external_reference"]


def test_references_differ_by_case(client: Client) -> None:
    upper, lower = a_reference().upper(), a_reference().lower()
    first = a_customer(client, external_reference=upper)
    second = a_customer(client, external_reference=upper.lower())
    assert client.get(f"{CUSTOMERS}/{upper}").json() == first
    assert client.get(f"{CUSTOMERS}/{upper.lower()}").json() == second
    assert client.get(f"{CUSTOMERS}/{lower}").status == 404


@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_duplicates_exactly_one_is_created(
    service: Service, two_workers: Service, client: Client, workers: int, database: Database
) -> None:
    """1.3: unique, also while requests race each other through one worker or two."""
    assert client.key is not None
    caller = (service if workers == 1 else two_workers).client(client.key)
    requests = [a_request() for _ in range(5)]
    with ThreadPoolExecutor(10) as pool:
        statuses = [
            [answer.status for answer in pool.map(lambda _, sent=request: caller.post(CUSTOMERS, sent), range(10))]
            for request in requests
        ]
    caller.close()
    assert [sorted(each) for each in statuses] == [[201] + [409] * 9] * 5
    references = [request["external_reference"] for request in requests]
    counted = "SELECT count(*) FROM customer WHERE external_reference = ANY ($1)"
    assert database.value(counted, references) == 5


def test_a_path_takes_the_id_or_the_reference(client: Client) -> None:
    """1.3: a path parameter takes either the id or the external reference."""
    customer = a_customer(client, name="Either")
    by_reference = f"{CUSTOMERS}/{customer['external_reference']}"
    assert client.get(at(customer)).json() == client.get(by_reference).json() == customer
    assert client.patch(by_reference, {"name": "Or"}).json() == customer | {"name": "Or"}
    assert client.get(at(customer)).json()["name"] == "Or"


def test_a_path_parameter_may_be_percent_encoded(client: Client) -> None:
    """RFC 3986, 2.3: what is percent-encoded without need is the same name."""
    customer = a_customer(client)
    for name in (customer["id"], customer["external_reference"]):
        encoded = "".join(f"%{byte:02X}" for byte in name.encode())
        assert client.get(f"{CUSTOMERS}/{encoded}").json() == customer
        assert client.get(f"{CUSTOMERS}/{encoded.lower()}").json() == customer


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


@pytest.mark.parametrize("name", WEIRD)
def test_a_path_that_names_nobody_is_not_found(client: Client, name: str) -> None:
    """1.5: 404 `not_found`: no such customer, however strange the name."""
    for answer in (client.get(f"{CUSTOMERS}/{name}"), client.patch(f"{CUSTOMERS}/{name}", {"name": "x"})):
        assert (answer.status, answer.code) == (404, "not_found")


def test_the_name_of_an_object_is_taken_whole(client: Client) -> None:
    """1.3: what merely resembles a name is another name."""
    customer = a_customer(client)
    for name in (customer["id"], customer["external_reference"]):
        for near in (name[:-1], name + "x", name + "%20", "%20" + name, name + "%00", name.swapcase(), name + "%0A"):
            assert client.get(f"{CUSTOMERS}/{near}").status == 404, near


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_another_merchants_customer_is_not_found_by_any_route(client: Client, other: Client, name: str) -> None:
    """1.5: no such customer in this merchant and mode: GET, PATCH and every list filter."""
    customer = a_customer(client, name="Secret", email="secret.only@example.com", metadata={"only": "ours"})
    path = f"{CUSTOMERS}/{customer[name]}"
    etag = client.get(path).etag
    for answer in (
        other.get(path),
        other.get(path, If_None_Match=etag),
        other.send("HEAD", path),
        other.patch(path, {"name": "Mine"}),
        other.patch(path, {"name": "Mine"}, If_Match=etag),
        other.merge(path, {"name": None}),
    ):
        assert answer.status == 404
        assert b"Secret" not in answer.body
    for query in (
        f"external_reference={customer['external_reference']}",
        "email=secret.only@example.com",
        "metadata[only]=ours",
        f"q={customer['external_reference']}",
    ):
        assert other.get(f"{CUSTOMERS}?{query}").json() == {"data": []}
    assert client.get(path).json() == customer
