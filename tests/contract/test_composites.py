"""3 and 4: creates with new objects inside: all or nothing, and each part obeys every rule that it obeys alone."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    ACCOUNTS,
    BILL,
    BILLS,
    CUSTOMER,
    CUSTOMERS,
    RULES,
    Noun,
    a_customer,
    a_key,
    a_reference,
    a_request,
    an_account,
    at,
)
from tests.contract.service import Database, Service


@dataclass(frozen=True)
class Shape:
    """A create with new objects inside.

    Attributes:
        parts: Where in the request each new object is, in the order in which they are made.
        build: Makes such a request, every part with a fresh reference.
    """

    name: str
    path: str
    parts: dict[str, Noun]
    build: Callable[[Client], Json]

    def __str__(self) -> str:
        return self.name

    def post(self, client: Client, request: Json | bytes, **headers: str) -> Answer:
        """POST the request, as somebody whose name is recorded with every change."""
        return client.post(self.path, request, **({"Owed_Actor": "mary"} | headers))


def a_bill_request(**members: Any) -> Json:
    return a_request(**{"currency": "ZAR", "amount_due": 1000} | members)


SHAPES = [
    Shape(
        "account(customer)",
        ACCOUNTS,
        {"/customer": CUSTOMER, "": ACCOUNT},
        lambda client: a_request(customer=a_request()),
    ),
    Shape(
        "bill(customer)",
        BILLS,
        {"/customer": CUSTOMER, "": BILL},
        lambda client: a_bill_request(customer=a_request()),
    ),
    Shape(
        "bill(account of customer by id)",
        BILLS,
        {"/account": ACCOUNT, "": BILL},
        lambda client: a_bill_request(account=a_request(customer=a_customer(client)["id"])),
    ),
    Shape(
        "bill(account(customer))",
        BILLS,
        {"/account/customer": CUSTOMER, "/account": ACCOUNT, "": BILL},
        lambda client: a_bill_request(account=a_request(customer=a_request())),
    ),
    Shape(
        "bill(customer, account)",
        BILLS,
        {"/customer": CUSTOMER, "/account": ACCOUNT, "": BILL},
        lambda client: a_bill_request(customer=a_request(), account=a_request()),
    ),
    Shape(
        "bill(customer by reference, account)",
        BILLS,
        {"/account": ACCOUNT, "": BILL},
        lambda client: a_bill_request(customer=a_customer(client)["external_reference"], account=a_request()),
    ),
]
DEEPEST = SHAPES[3]
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)
PARTS = [(shape, pointer) for shape in SHAPES for pointer in shape.parts]
EVERY_PART = pytest.mark.parametrize(("shape", "pointer"), PARTS, ids=[f"{shape} {at}" for shape, at in PARTS])


def part(request: Json, pointer: str) -> Json:
    """Return the part of a request that is at a pointer."""
    for member in pointer.split("/")[1:]:
        request = request[member]
    return request


def changed(request: Json, pointer: str, **members: Any) -> Json:
    """Return the request with members of one of its parts given or replaced."""
    copy = deepcopy(request)
    part(copy, pointer).update(members)
    return copy


def references(shape: Shape, request: Json) -> list[tuple[Noun, str]]:
    """List what the request would create."""
    return [(noun, part(request, pointer)["external_reference"]) for pointer, noun in shape.parts.items()]


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert sorted(answer.pointers) == sorted(pointers), answer.body


COUNTS = """
    SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM account), (SELECT count(*) FROM bill),
           (SELECT count(*) FROM transfer), (SELECT count(*) FROM event), (SELECT count(*) FROM attribution),
           (SELECT count(*) FROM search_term)
"""


@contextmanager
def nothing_is_written(database: Database) -> Iterator[None]:
    """Hold that whatever happens meanwhile leaves no row of billing data behind."""
    before = database.rows(COUNTS)
    yield
    assert database.rows(COUNTS) == before


# What is made


@EVERY_SHAPE
def test_every_part_is_created(client: Client, shape: Shape) -> None:
    """3, 4: a new object given inline is created, and the answer is the outer one, as a retrieve shows it."""
    request = shape.build(client)
    answer = shape.post(client, request)
    assert answer.status == 201, answer.body
    outer = answer.json()
    assert answer.header("Location").endswith(at(outer))
    got = client.get(at(outer))
    assert (got.json(), got.etag) == (outer, answer.etag)
    assert outer["external_reference"] == request["external_reference"]
    assert {"customer", "account"}.isdisjoint(outer)
    for noun, reference in references(shape, request):
        made = client.get(f"{noun.path}/{reference}").json()
        assert made["id"].startswith(noun.prefix)
        assert made["payment_rules"] == noun.rules


@EVERY_SHAPE
def test_every_part_belongs_to_the_one_around_it(client: Client, shape: Shape) -> None:
    """3, 4: `customer_id` is always present; `account_id` only where the bill is on an account."""
    request = shape.build(client)
    outer = shape.post(client, request).json()
    made = {noun.name: client.get(f"{noun.path}/{ref}").json() for noun, ref in references(shape, request)}
    if "customer" in made:
        assert {thing["customer_id"] for thing in made.values() if "customer_id" in thing} == {made["customer"]["id"]}
    assert client.get(f"{CUSTOMERS}/{outer['customer_id']}").status == 200
    assert outer.get("account_id") == (made["account"]["id"] if "/account" in shape.parts else None)
    if "account" in made:
        assert made["account"]["customer_id"] == outer["customer_id"]


def test_a_named_customer_owns_the_new_account(client: Client) -> None:
    """4: both at the top level as: `customer` plus a new `account` object: then the account is that customer's."""
    customer = a_customer(client)
    for name in (customer["id"], customer["external_reference"]):
        for request in (
            a_bill_request(customer=name, account=a_request()),
            a_bill_request(account=a_request(customer=name)),
            a_bill_request(customer=name, account=a_request(customer=None)),
        ):
            bill = client.post(BILLS, request).json()
            account = client.get(f"{ACCOUNTS}/{bill['account_id']}").json()
            assert bill["customer_id"] == account["customer_id"] == customer["id"]
    assert client.get(at(customer)).json() == customer


WHOLE_CUSTOMER: Json = {
    "name": "Zoë Élan", "email": "zoe@example.com", "phone": "+27123456789", "currency": "USD", "balance": -300,
    "payment_rules": RULES, "metadata": {"of": "customer"},
}  # fmt: skip
WHOLE_ACCOUNT: Json = {
    "name": "Meter 7", "currency": "EUR", "balance": 2000, "payment_rules": RULES | {"min_amount": 5},
    "metadata": {"of": "account"},
}  # fmt: skip
WHOLE_BILL: Json = {
    "currency": "KES", "amount_due": 4500, "bill_date": "2025-01-31", "due_date": "2025-02-28",
    "payment_rules": RULES | {"min_amount": 7}, "metadata": {"of": "bill"},
}  # fmt: skip
WHOLE = {"customer": WHOLE_CUSTOMER, "account": WHOLE_ACCOUNT, "bill": WHOLE_BILL}


def whole(shape: Shape, client: Client) -> Json:
    """Return a request in which every part has every member that it can have."""
    request = shape.build(client)
    for pointer, noun in shape.parts.items():
        part(request, pointer).update(WHOLE[noun.name])
    return request


@EVERY_SHAPE
def test_every_part_takes_every_member_that_it_takes_alone(client: Client, shape: Shape) -> None:
    """3: an id, an external reference, or a whole new customer (the members of 2); each currency is its own (4)."""
    request = whole(shape, client)
    answer = shape.post(client, request)
    assert answer.status == 201, answer.body
    for noun, reference in references(shape, request):
        made = client.get(f"{noun.path}/{reference}").json()
        assert made | WHOLE[noun.name] == made


def test_an_inner_balance_of_zero_is_tracked_and_an_inner_currency_alone_is_not(client: Client) -> None:
    request = a_request(customer=a_request(currency="ZAR", balance=0), currency="ZAR")
    account = client.post(ACCOUNTS, request).json()
    assert "balance" not in account
    assert client.get(f"{CUSTOMERS}/{account['customer_id']}").json()["balance"] == 0


@EVERY_SHAPE
def test_one_reference_serves_every_kind(client: Client, shape: Shape) -> None:
    """1.3: unique per kind of object: a customer, an account and a bill may have the same."""
    request, reference = shape.build(client), a_reference()
    for pointer in shape.parts:
        part(request, pointer)["external_reference"] = reference
    assert shape.post(client, request).status == 201
    assert {client.get(f"{noun.path}/{reference}").status for noun in shape.parts.values()} == {200}


UNSET = {
    "customer": ["id", "name", "email", "phone", "currency", "balance", "payment_rules", "metadata"],
    "account": ["id", "customer_id", "name", "currency", "balance", "payment_rules", "metadata"],
    "bill": [
        "id", "customer_id", "account_id", "status", "amount_paid", "amount_remaining", "bill_date", "due_date",
        "payment_rules", "metadata",
    ],
}  # fmt: skip


@EVERY_SHAPE
def test_every_unset_member_may_be_null_in_every_part(client: Client, shape: Shape) -> None:
    """1.1: a member that is `null` counts as not given, on create."""
    request = shape.build(client)
    for pointer, noun in shape.parts.items():
        inner = part(request, pointer)
        owners = ["customer", "account"] if noun is BILL else ["customer"] if noun is ACCOUNT else []
        inner.update(dict.fromkeys([*UNSET[noun.name], *(owner for owner in owners if owner not in inner)]))
    answer = shape.post(client, request)
    assert answer.status == 201, answer.body
    for noun, reference in references(shape, request):
        made = client.get(f"{noun.path}/{reference}").json()
        assert made["payment_rules"] == noun.rules
        assert {"name", "balance", "metadata", "due_date"}.isdisjoint(made)


# What is recorded


EVENTS = "SELECT type, object_id, sequence, body FROM event WHERE object_id = ANY ($1) ORDER BY id"
TRANSFERS = """
    SELECT obligation_id, amount, total_after, currency, cause, attribution_id IS NOT NULL
      FROM transfer WHERE obligation_id = ANY ($1) ORDER BY id
"""


@EVERY_SHAPE
def test_one_event_per_object_is_recorded_in_the_order_of_creation(
    client: Client, database: Database, shape: Shape
) -> None:
    """3: a new customer given inline is created first; 7: `data` is the object as the API shows it."""
    request = whole(shape, client)
    shape.post(client, request)
    made = [client.get(f"{noun.path}/{reference}").json() for noun, reference in references(shape, request)]
    events = database.rows(EVENTS, [thing["id"] for thing in made])
    assert [event["type"] for event in events] == [f"{noun.name}.created" for noun in shape.parts.values()]
    assert [(event["object_id"], event["sequence"]) for event in events] == [(thing["id"], 1) for thing in made]
    assert [json.loads(event["body"])["data"] for event in events] == made


@EVERY_SHAPE
def test_each_part_has_its_own_transfer(client: Client, database: Database, shape: Shape) -> None:
    """6: every change to what is owed is one transfer; 1.8: who did it is recorded with every transfer."""
    request = whole(shape, client)
    shape.post(client, request)
    made = {noun.name: client.get(f"{noun.path}/{ref}").json()["id"] for noun, ref in references(shape, request)}
    expected = {
        "customer": (-300, -300, "USD", "opening", True),
        "account": (2000, 2000, "EUR", "opening", True),
        "bill": (4500, 4500, "KES", "bill_raised", True),
    }
    transfers = database.rows(TRANSFERS, list(made.values()))
    assert [tuple(row) for row in transfers] == [(made[name], *expected[name]) for name in made]
    outer = list(made.values())[-1]
    assert [row["actor"] for row in database.rows("SELECT actor FROM attribution WHERE object_id = $1", outer)] == [
        "mary"
    ]


def test_the_parent_that_is_named_is_not_changed(client: Client, database: Database) -> None:
    """4: bills and balances are separate obligations; a child leaves its parent's version and events alone."""
    customer = a_customer(client, currency="ZAR", balance=700)
    before = client.get(at(customer))
    client.post(BILLS, a_bill_request(account=a_request(customer=customer["id"], currency="ZAR", balance=5)))
    after = client.get(at(customer))
    assert (after.body, after.etag) == (before.body, before.etag)
    assert len(database.rows(EVENTS, [customer["id"]])) == 1


# What is refused by its form


DEEP: Json = {}
for _ in range(20):
    DEEP = {"a": DEEP}

Members = dict[str, Any]
EVERY = (CUSTOMER, ACCOUNT, BILL)
WITH_BALANCE = (CUSTOMER, ACCOUNT)

FAULTS: list[tuple[tuple[Noun, ...], Members, str]] = [
    (EVERY, {"surname": "Doe"}, "/surname"),
    (EVERY, {"a/b~c": None}, "/a~1b~0c"),
    (EVERY, {"id": "bcus_H4jp6KnU5cPw263v1jyz4"}, "/id"),
    (EVERY, {"external_reference": None}, "/external_reference"),
    (EVERY, {"external_reference": 5}, "/external_reference"),
    (EVERY, {"external_reference": "a b"}, "/external_reference"),
    (EVERY, {"external_reference": "x" * 256}, "/external_reference"),
    ((CUSTOMER, BILL), {"external_reference": "bcus_1"}, "/external_reference"),
    ((ACCOUNT,), {"external_reference": "bacc_1"}, "/external_reference"),
    (EVERY, {"currency": "zar"}, "/currency"),
    (EVERY, {"currency": "ZZZ"}, "/currency"),
    (WITH_BALANCE, {"balance": 5}, "/currency"),
    (WITH_BALANCE, {"balance": 1.5, "currency": "ZAR"}, "/balance"),
    (WITH_BALANCE, {"balance": 2**53, "currency": "ZAR"}, "/balance"),
    (EVERY, {"metadata": {f"k{n}": "" for n in range(21)}}, "/metadata"),
    (EVERY, {"metadata": {"a": 1}}, "/metadata/a"),
    (EVERY, {"metadata": {"k" * 41: ""}}, "/metadata/" + "k" * 41),
    (EVERY, {"payment_rules": RULES | {"min_amount": None}}, "/payment_rules/min_amount"),
    (EVERY, {"payment_rules": RULES | {"max_amount": 99}}, "/payment_rules/max_amount"),
    (EVERY, {"payment_rules": RULES | {"x": 1}}, "/payment_rules/x"),
    (WITH_BALANCE, {"name": "x" * 256}, "/name"),
    ((CUSTOMER,), {"email": "nobody"}, "/email"),
    ((CUSTOMER,), {"phone": "0821234567"}, "/phone"),
    ((CUSTOMER,), {"customer": a_request()}, "/customer"),
    ((ACCOUNT,), {"email": "a@example.com"}, "/email"),
    ((ACCOUNT,), {"phone": "+27123456789"}, "/phone"),
    ((ACCOUNT, BILL), {"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4"}, "/customer_id"),
    ((ACCOUNT,), {"account": a_request()}, "/account"),
    ((CUSTOMER, ACCOUNT), {"amount_due": 1000}, "/amount_due"),
    ((BILL,), {"amount_due": 0}, "/amount_due"),
    ((BILL,), {"name": "Bill"}, "/name"),
    ((BILL,), {"account_id": "bacc_1"}, "/account_id"),
    ((BILL,), {"status": "unpaid"}, "/status"),
    ((BILL,), {"due_date": "2025-02-30"}, "/due_date"),
]
FAULTY_PARTS = [
    (shape, pointer, members, place)
    for shape, pointer in PARTS
    for nouns, members, place in FAULTS
    if shape.parts[pointer] in nouns and (shape is DEEPEST or place == FAULTS[0][2])
]
"""Every fault in every part of the deepest, and one in every part of the others."""


@pytest.mark.parametrize(
    ("shape", "pointer", "members", "place"),
    FAULTY_PARTS,
    ids=[f"{shape} {pointer}{place[:20]}" for shape, pointer, _, place in FAULTY_PARTS],
)
def test_a_fault_in_a_part_is_named_by_its_place_and_nothing_exists(
    client: Client, database: Database, shape: Shape, pointer: str, members: Members, place: str
) -> None:
    """3: if any part is refused, nothing exists, and the error's pointer names the part (`/customer/email`)."""
    request = shape.build(client)
    with nothing_is_written(database):
        refused(shape.post(client, changed(request, pointer, **members)), pointer + place)


@EVERY_PART
def test_what_was_refused_can_be_sent_again_put_right(client: Client, shape: Shape, pointer: str) -> None:
    """3: all or nothing: no reference of a refused request is taken."""
    request = shape.build(client)
    assert shape.post(client, changed(request, pointer, surname="Doe")).status == 400
    assert shape.post(client, request).status == 201


@EVERY_SHAPE
def test_every_fault_of_every_part_is_named_at_once(client: Client, database: Database, shape: Shape) -> None:
    """1.5: on 400 `errors`: every fault found, not only the first, whichever part it is in."""
    request = shape.build(client)
    expected = []
    for pointer, noun in shape.parts.items():
        currency: Members = {} if noun is BILL else {"balance": 5}
        faults: Members = {"surname": 1, "metadata": {f"k{n}": "" for n in range(21)}, "payment_rules": 5}
        part(request, pointer).update(faults | currency)
        expected += [f"{pointer}/{name}" for name in faults] + ([f"{pointer}/currency"] if currency else [])
    with nothing_is_written(database):
        refused(shape.post(client, request, Owed_Reason="x" * 256), "header: Owed-Reason", *expected)


@EVERY_PART
def test_a_member_given_twice_inside_a_part_is_named(client: Client, shape: Shape, pointer: str) -> None:
    """1.1: the same member twice in one object is 400."""
    request = changed(shape.build(client), pointer, twice="x")
    text = json.dumps(request).replace('"twice": "x"', '"name": "x", "name": "x"')
    refused(shape.post(client, text.encode()), f"{pointer}/name")


@EVERY_PART
@pytest.mark.parametrize("value", ["U+0000 \x00", "a lone surrogate \ud800"])
def test_text_that_no_text_may_hold_is_refused_in_every_part(
    client: Client, database: Database, shape: Shape, pointer: str, value: str
) -> None:
    """1.1: a body that holds U+0000 or a lone surrogate gets 400."""
    request = changed(shape.build(client), pointer, metadata={"a": value})
    with nothing_is_written(database):
        answer = shape.post(client, request)
    refused(answer, f"{pointer}/metadata/a")


@EVERY_PART
def test_deep_parts_are_refused(client: Client, database: Database, shape: Shape, pointer: str) -> None:
    """1.1: what nests deeper than 16 gets 400."""
    request = shape.build(client)
    with nothing_is_written(database):
        for name in ("metadata", "payment_rules", "deep"):
            answer = shape.post(client, changed(request, pointer, **{name: DEEP}))
            assert (answer.status, answer.code) == (400, "invalid_request")
            assert {place.startswith(f"{pointer}/{name}") for place in answer.pointers} == {True}, answer.pointers


@pytest.mark.parametrize("levels", [3, 8, 14, 100, 5000])
def test_customers_within_accounts_within_customers_are_refused(
    client: Client, database: Database, levels: int
) -> None:
    """4: one customer in one account in one bill is as deep as it goes."""
    nested: Json = a_request()
    for level in range(levels):
        nested = a_request(**{"account" if level % 2 else "customer": nested})
    body = nested_json(levels) if levels > 500 else json.dumps(a_bill_request(account=nested)).encode()
    with nothing_is_written(database):
        answer = client.post(BILLS, body)
    assert (answer.status, answer.code) == (400, "invalid_request")


def nested_json(levels: int) -> bytes:
    return b'{"account":{"customer":' * levels + b"{}" + b"}}" * levels


def test_a_huge_composite_that_obeys_every_limit_is_taken(client: Client) -> None:
    """1.7: 20 keys of 40 characters with 500 each, in every part."""
    metadata = {f"{n:02}" + "😀" * 38: "😀" * 500 for n in range(20)}
    request = DEEPEST.build(client)
    for pointer in DEEPEST.parts:
        part(request, pointer).update(metadata=metadata)
    for pointer in ("/account", "/account/customer"):
        part(request, pointer).update(name="😀" * 255)
    assert DEEPEST.post(client, json.dumps(request, ensure_ascii=False).encode()).status == 201
    for noun, reference in references(DEEPEST, request):
        assert client.get(f"{noun.path}/{reference}").json()["metadata"] == metadata


@EVERY_PART
def test_a_part_over_1_mib_is_413(client: Client, database: Database, shape: Shape, pointer: str) -> None:
    """1.1: a body over 1 MiB gets 413."""
    request = shape.build(client)
    with nothing_is_written(database):
        answer = shape.post(client, changed(request, pointer, metadata={"a": "x" * 2**20}))
    assert (answer.status, answer.code) == (413, "payload_too_large")


def test_a_mebibyte_of_wrong_members_inside_is_refused_at_once(client: Client, database: Database) -> None:
    """1.1: nothing a client sends may cause a 500, nor hold up the others."""
    request = DEEPEST.build(client)
    part(request, "/account/customer").update({f"m{n}": n for n in range(50_000)})
    with nothing_is_written(database):
        started = time.monotonic()
        answer = DEEPEST.post(client, request)
        assert time.monotonic() - started < 3
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert {pointer.startswith("/account/customer/m") for pointer in answer.pointers} == {True}


def test_beyond_the_faults_that_are_named_none_is_made_up(client: Client, database: Database) -> None:
    """1.5: every fault *found*: what was given wrong is not said to be missing, however many faults there are."""
    request = DEEPEST.build(client)
    part(request, "/account/customer").update({f"m{n}": n for n in range(2000)})
    for pointer in DEEPEST.parts:
        inner = part(request, pointer)
        del inner["external_reference"]
        inner["external_reference"] = 5
    with nothing_is_written(database):
        answer = DEEPEST.post(client, request)
    assert answer.status == 400
    assert "This is required." not in {fault["detail"] for fault in answer.json()["errors"]}


@EVERY_PART
def test_beyond_the_faults_that_are_named_a_wrong_value_still_counts(
    client: Client, database: Database, shape: Shape, pointer: str
) -> None:
    """1.1: nothing a client sends may cause a 500."""
    request = shape.build(client)
    part(request, pointer).update({f"m{n}": n for n in range(1001)} | {"payment_rules": {}, "metadata": {"a": 1}})
    with nothing_is_written(database):
        assert shape.post(client, request).code == "invalid_request"


NO_NAME = ["", " ", "a b", "a.b", "a/b", "a\n", "é", "\uff11", "x" * 256, 5, 1.5, True, False, [], ["a"], [{}]]


@pytest.mark.parametrize("value", NO_NAME)
@pytest.mark.parametrize(
    ("path", "member", "place"),
    [
        (ACCOUNTS, {"customer": ...}, "/customer"),
        (BILLS, {"customer": ...}, "/customer"),
        (BILLS, {"account": ...}, "/account"),
        (BILLS, {"account": {"external_reference": "new", "customer": ...}}, "/account/customer"),
    ],
    ids=["account of customer", "bill of customer", "bill of account", "bill of account of customer"],
)
def test_what_is_neither_a_name_nor_an_object_is_refused(
    client: Client, database: Database, path: str, member: Json, place: str, value: object
) -> None:
    """3, 4: string or object; 1.3: an id or an external reference, so of their characters."""
    request = a_request() if path == ACCOUNTS else a_bill_request()
    request = request | deepcopy(member)
    outer, _, name = place.rpartition("/")
    part(request, outer)[name] = value
    with nothing_is_written(database):
        refused(client.post(path, request), place)


def test_an_empty_object_lacks_its_required_members(client: Client) -> None:
    """2, 3: `external_reference` is required, of an account its `customer` too."""
    refused(client.post(ACCOUNTS, a_request(customer={})), "/customer/external_reference")
    refused(client.post(BILLS, a_bill_request(customer={})), "/customer/external_reference")
    refused(
        client.post(BILLS, a_bill_request(account={})), "/account/external_reference", "/account/customer"
    )  # fmt: skip
    refused(
        client.post(BILLS, a_bill_request(account={"customer": {}})),
        "/account/external_reference",
        "/account/customer/external_reference",
    )
    refused(client.post(BILLS, {}), "/external_reference", "/currency", "/amount_due", "/customer")


# Who the bill is on


@pytest.mark.parametrize(
    ("owners", "place"),
    [
        ({}, "/customer"),
        ({"customer": None}, "/customer"),
        ({"account": None}, "/customer"),
        ({"customer": None, "account": None}, "/customer"),
        ({"customer": "by-id", "account": "by-id"}, "/customer"),
        ({"customer": "by-reference", "account": "by-reference"}, "/customer"),
        ({"customer": "nobody", "account": "by-id"}, "/customer"),
        ({"customer": "new", "account": "by-id"}, "/customer"),
        ({"customer": "by-id", "account": {"customer": "by-id"}}, "/account/customer"),
        ({"customer": "by-id", "account": {"customer": "new"}}, "/account/customer"),
        ({"customer": "new", "account": {"customer": "by-id"}}, "/account/customer"),
        ({"customer": "new", "account": {"customer": "new"}}, "/account/customer"),
        ({"customer": "by-id", "account": {"customer": "nobody"}}, "/account/customer"),
        ({"account": {}}, "/account/customer"),
        ({"account": {"customer": None}}, "/account/customer"),
        ({"customer": None, "account": {"customer": None}}, "/account/customer"),
    ],
)
def test_a_bill_is_on_one_customer_or_one_account(client: Client, database: Database, owners: Json, place: str) -> None:
    """4: one of them; both at the top level only as `customer` plus a new `account` object that names no customer."""
    account = an_account(client)
    customer = client.get(f"{CUSTOMERS}/{account['customer_id']}").json()

    def filled(value: Any, named: Json) -> Any:
        if isinstance(value, dict):
            return a_request(**{name: filled(inner, customer) for name, inner in value.items()})
        values: Json = {
            "by-id": named["id"], "by-reference": named["external_reference"], "nobody": a_reference(),
            "new": a_request(),
        }  # fmt: skip
        return value and values[value]

    members = {
        name: filled(value, account if name == "account" else customer) for name, value in owners.items()
    }  # fmt: skip
    with nothing_is_written(database):
        refused(client.post(BILLS, a_bill_request(**members)), place)


# What is refused by what stands


def missing(value: str) -> list[tuple[str, Json, str]]:
    """List the requests that name an object by `value`, and where."""
    return [
        (ACCOUNTS, a_request(customer=value), "/customer"),
        (BILLS, a_bill_request(customer=value), "/customer"),
        (BILLS, a_bill_request(account=value), "/account"),
        (BILLS, a_bill_request(account=a_request(customer=value)), "/account/customer"),
        (BILLS, a_bill_request(customer=value, account=a_request()), "/customer"),
    ]


@pytest.mark.parametrize("form", range(5))
@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "x" * 255,
        "no-body",
        "bcus_0000000000000000000000",
        "bcus_",
        "bacc_0000000000000000000000",
        "bill_",
        "no_null",
    ],
)
def test_a_named_object_that_does_not_exist_is_404(client: Client, database: Database, name: str, form: int) -> None:
    """1.3: an object named in a body that does not exist is 404; 1.5: with a pointer."""
    path, request, place = missing(name)[form]
    with nothing_is_written(database):
        answer = client.post(path, request)
    assert (answer.status, answer.code, answer.pointers) == (404, "not_found", [place])


@EVERY_PART
def test_a_reference_that_is_taken_is_409_at_its_part_and_never_an_update(
    client: Client, database: Database, shape: Shape, pointer: str
) -> None:
    """3: an inline reference that exists is 409, never an update."""
    noun = shape.parts[pointer]
    standing = noun.make(client, metadata={"whose": "mine"})
    before = client.get(at(standing))
    request = whole(shape, client)
    with nothing_is_written(database):
        answer = shape.post(client, changed(request, pointer, external_reference=standing["external_reference"]))
    assert (answer.status, answer.code) == (409, "conflict")
    assert answer.pointers == [f"{pointer}/external_reference"]
    after = client.get(at(standing))
    assert (after.body, after.etag) == (before.body, before.etag)
    assert shape.post(client, request).status == 201


@EVERY_SHAPE
def test_a_composite_cannot_be_made_twice(client: Client, database: Database, shape: Shape) -> None:
    """3: all or nothing, also where every part is refused."""
    request = shape.build(client)
    assert shape.post(client, request).status == 201
    with nothing_is_written(database):
        answer = shape.post(client, request)
    assert (answer.status, answer.code) == (409, "conflict")
    assert answer.pointers
    assert set(answer.pointers) <= {f"{pointer}/external_reference" for pointer in shape.parts}


def test_of_an_object_that_exists_its_id_is_no_new_object(client: Client) -> None:
    """3: a customer that was retrieved and sent back whole is not a new one: its `id` is ours to give."""
    customer = a_customer(client)
    refused(client.post(ACCOUNTS, a_request(customer=customer)), "/customer/id")


# The order of refusals


def test_validation_of_every_part_comes_before_the_state(client: Client) -> None:
    """1.1: validation, state."""
    taken = a_customer(client)["external_reference"]
    inner = {"external_reference": taken}
    refused(client.post(ACCOUNTS, a_request(customer=inner, name=5)), "/name")
    refused(client.post(ACCOUNTS, a_request(customer=inner, balance=5)), "/currency")
    refused(client.post(ACCOUNTS, a_request(customer=inner | {"balance": 5})), "/customer/currency")
    refused(client.post(BILLS, a_bill_request(account=a_request(customer="nobody"), amount_due=0)), "/amount_due")
    refused(client.post(f"{ACCOUNTS}?x=1", a_request(customer=inner)), "query: x")


def test_a_missing_object_comes_before_a_taken_reference(client: Client) -> None:
    """1.1: within state: 404 of an object that the body names, then 409."""
    account = an_account(client)
    taken = account["external_reference"]
    bill = BILL.make(client)["external_reference"]
    for path, request, place in (
        (ACCOUNTS, {"external_reference": taken, "customer": "nobody"}, "/customer"),
        (BILLS, a_bill_request(external_reference=bill, customer="nobody"), "/customer"),
        (BILLS, a_bill_request(account={"external_reference": taken, "customer": "nobody"}), "/account/customer"),
        (BILLS, a_bill_request(customer="nobody", account={"external_reference": taken}), "/customer"),
        (BILLS, a_bill_request(external_reference=bill, account=a_request(customer="nobody")), "/account/customer"),
    ):
        answer = client.post(path, request)
        assert (answer.status, answer.pointers) == (404, [place]), answer.body


# Idempotency


@EVERY_SHAPE
def test_a_composite_is_replayed_byte_for_byte(client: Client, database: Database, shape: Shape) -> None:
    """1.4: the first request's status and body are kept and replayed."""
    request, key = whole(shape, client), a_key()
    first = shape.post(client, request, Idempotency_Key=key)
    assert first.status == 201
    client.patch(at(first.json()), {"metadata": {"changed": "since"}})
    with nothing_is_written(database):
        again = shape.post(client, request, Idempotency_Key=key)
    assert (again.status, again.body, again.etag) == (201, first.body, first.etag)
    assert again.header("Location") == first.header("Location")
    assert (first.headers.get("Idempotent-Replayed"), again.header("Idempotent-Replayed")) == (None, "true")


@EVERY_PART
def test_a_key_with_another_part_gets_422(client: Client, database: Database, shape: Shape, pointer: str) -> None:
    """1.4: the fingerprint is … the body's JSON value, whole."""
    request, key = shape.build(client), a_key()
    assert shape.post(client, request, Idempotency_Key=key).status == 201
    with nothing_is_written(database):
        other = shape.post(client, changed(request, pointer, external_reference=a_reference()), Idempotency_Key=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_the_same_value_in_other_bytes_is_the_same_composite(client: Client) -> None:
    """1.4: the body's JSON value (not its bytes), also inside."""
    request, key = DEEPEST.build(client), a_key()
    first = DEEPEST.post(client, request, Idempotency_Key=key)
    swapped = {name: request[name] for name in reversed(request)}
    swapped["account"] = {name: request["account"][name] for name in reversed(request["account"])}
    again = DEEPEST.post(client, json.dumps(swapped, indent=3).encode(), Idempotency_Key=key)
    assert (again.body, again.header("Idempotent-Replayed")) == (first.body, "true")


@EVERY_PART
def test_a_400_in_a_part_leaves_the_key_free(client: Client, shape: Shape, pointer: str) -> None:
    """1.4: not kept, and the key stays free: every 400."""
    request, key = shape.build(client), a_key()
    wrong = changed(request, pointer, metadata={f"k{n}": "" for n in range(21)})
    assert shape.post(client, wrong, Idempotency_Key=key).status == 400
    answer = shape.post(client, request, Idempotency_Key=key)
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (201, None)


@EVERY_PART
def test_a_conflict_of_a_part_is_kept(client: Client, shape: Shape, pointer: str) -> None:
    """1.4: kept: every outcome that was decided, including 409."""
    key, standing = a_key(), shape.parts[pointer].make(client)
    request = changed(shape.build(client), pointer, external_reference=standing["external_reference"])
    first = shape.post(client, request, Idempotency_Key=key)
    again = shape.post(client, request, Idempotency_Key=key)
    assert (first.status, again.status, again.body) == (409, 409, first.body)
    assert again.header("Idempotent-Replayed") == "true"


@pytest.mark.parametrize("form", range(5))
def test_a_missing_object_of_the_body_is_kept(client: Client, form: int) -> None:
    """1.4: kept, including 404: also after the object has come into being."""
    name, key = a_reference(), a_key()
    path, request, _ = missing(name)[form]
    first = client.post(path, request, Idempotency_Key=key)
    an_account(client, external_reference=name, customer=a_customer(client, external_reference=name)["id"])
    again = client.post(path, request, Idempotency_Key=key)
    assert (first.status, again.status, again.body) == (404, 404, first.body)
    assert again.header("Idempotent-Replayed") == "true"
    assert client.post(path, request, Idempotency_Key=a_key()).status == 201


# Concurrency


def standing(database: Database, noun: Noun, wanted: list[str]) -> set[str]:
    """Return which of the wanted references there are."""
    found = database.rows(f"SELECT external_reference FROM {noun.name} WHERE external_reference = ANY ($1)", wanted)
    return {row["external_reference"] for row in found}


@EVERY_SHAPE
@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_identical_composites_exactly_one_is_made(
    service: Service, two_workers: Service, client: Client, database: Database, shape: Shape, workers: int
) -> None:
    """3: all or nothing, also while requests race each other through one worker or two."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    for _ in range(3):
        request = whole(shape, client)
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _, sent=request: shape.post(caller, sent), range(10)))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 9
        made = [client.get(f"{noun.path}/{ref}").json()["id"] for noun, ref in references(shape, request)]
        events = [(event["type"], event["object_id"]) for event in database.rows(EVENTS, made)]
        names = [f"{noun.name}.created" for noun in shape.parts.values()]
        assert events == list(zip(names, made, strict=True))
        assert [row["obligation_id"] for row in database.rows(TRANSFERS, made)] == made
    caller.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_of_concurrent_composites_with_one_key_one_happens_and_the_others_replay_it(
    service: Service, two_workers: Service, client: Client, workers: int
) -> None:
    """1.4: the same key while the first is still running waits, and then replays."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    for shape in SHAPES:
        request, key = shape.build(client), a_key()
        with ThreadPoolExecutor(8) as pool:
            send = pool.map(lambda _, s=shape, r=request, k=key: s.post(caller, r, Idempotency_Key=k), range(8))
            answers = list(send)
        assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 7
    caller.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_composites_that_share_some_of_their_parts_are_made_whole_or_not_at_all(
    service: Service, two_workers: Service, client: Client, database: Database, workers: int
) -> None:
    """3: of requests that want the same customer or the same account at once, those that lose leave nothing."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    accounts, customers = ([a_reference() for _ in range(3)] for _ in range(2))
    wanted = list(product(accounts, customers)) * 2
    requests = [
        a_bill_request(account={"external_reference": account, "customer": {"external_reference": customer}})
        for account, customer in wanted
    ]
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(lambda request: caller.post(BILLS, request), requests))
    caller.close()
    assert {answer.status for answer in answers} == {201, 409}
    made = [(request, pair) for request, pair, answer in zip(requests, wanted, answers, strict=True)
            if answer.status == 201]  # fmt: skip
    assert len({account for _, (account, _) in made}) == len({customer for _, (_, customer) in made}) == len(made) == 3
    assert standing(database, ACCOUNT, accounts) == {account for _, (account, _) in made}
    assert standing(database, CUSTOMER, customers) == {customer for _, (_, customer) in made}
    bills = [request["external_reference"] for request in requests]
    assert standing(database, BILL, bills) == {request["external_reference"] for request, _ in made}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_customer_made_alone_and_one_made_inside_an_account_race_fairly(
    service: Service, two_workers: Service, client: Client, database: Database, workers: int
) -> None:
    """1.3: unique, however it is made: of ten requests that want one reference, exactly one has it."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    for _ in range(4):
        new = {"external_reference": a_reference()}
        accounts = [a_request(customer=new) for _ in range(5)]
        requests: list[tuple[str, Json]] = [(ACCOUNTS, account) for account in accounts] + [(CUSTOMERS, new)] * 5
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda sent: caller.post(*sent), requests))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 9
        made = {account["external_reference"] for account, answer in zip(accounts, answers[:5], strict=True)
                if answer.status == 201}  # fmt: skip
        assert standing(database, ACCOUNT, [account["external_reference"] for account in accounts]) == made
    caller.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_account_of_a_customer_who_is_just_being_made_is_made_or_not_found(
    service: Service, two_workers: Service, client: Client, workers: int
) -> None:
    """1.3: 404 until the customer stands; never an account of nobody."""
    caller = (service if workers == 1 else two_workers).client(client.key)
    for _ in range(5):
        reference = a_reference()
        requests: list[tuple[str, Json]] = [(ACCOUNTS, a_request(customer=reference)) for _ in range(6)]
        requests.insert(3, (CUSTOMERS, {"external_reference": reference}))
        with ThreadPoolExecutor(7) as pool:
            answers = list(pool.map(lambda sent: caller.post(*sent), requests))
        customer = answers.pop(3)
        assert customer.status == 201
        assert {answer.status for answer in answers} <= {201, 404}
        owners = {answer.json()["customer_id"] for answer in answers if answer.status == 201}
        assert owners <= {customer.json()["id"]}
        assert caller.post(ACCOUNTS, a_request(customer=reference)).status == 201
    caller.close()


def test_many_children_of_one_customer_are_made_at_once_while_it_changes(
    two_workers: Service, client: Client, database: Database
) -> None:
    """3: customer 1-n accounts: nobody is refused because another is faster, through two workers."""
    caller = two_workers.client(client.key)
    customer = a_customer(client, currency="ZAR", balance=0)

    def one(number: int) -> int:
        if number % 3 == 0:
            return caller.patch(at(customer), {"balance": number + 1}).status
        if number % 3 == 1:
            return caller.post(ACCOUNTS, a_request(customer=customer["id"])).status
        return caller.post(BILLS, a_bill_request(account=a_request(customer=customer["external_reference"]))).status

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(one, range(60)))
    caller.close()
    assert statuses == [200, 201, 201] * 20
    assert database.value("SELECT count(*) FROM account WHERE customer_id = $1", customer["id"]) == 40
    assert database.value("SELECT count(*) FROM bill WHERE customer_id = $1", customer["id"]) == 20


# Whatever a client sends


NAMES = sorted(
    {*UNSET["customer"], *UNSET["account"], *UNSET["bill"], "customer", "account", "external_reference", "x"}
)
LEAVES = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(max_size=5)
    | strategies.sampled_from(["ZAR", "2025-01-31", "a@b.c", "+27123456789", "nobody", {}, [], RULES, 5, {"a": "b"}])
)
VALUES = strategies.recursive(
    LEAVES, lambda inner: strategies.dictionaries(strategies.sampled_from(NAMES), inner, max_size=6), max_leaves=12
)
BODIES = strategies.dictionaries(strategies.sampled_from(NAMES), VALUES, max_size=8)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=strategies.sampled_from(SHAPES), given_members=BODIES, inner=strategies.booleans(), data=strategies.data())
def test_whatever_a_part_holds_it_is_made_whole_or_nothing_is(
    client: Client, database: Database, shape: Shape, given_members: Json, inner: bool, data: strategies.DataObject
) -> None:
    """1.1: nothing a client sends may cause a 500; 3: all or nothing."""
    request = shape.build(client)
    pointer = data.draw(strategies.sampled_from(sorted(shape.parts)))
    before = database.rows(COUNTS)
    answer = shape.post(client, changed(request, pointer, **given_members) if inner else request | given_members)
    assert answer.status in {201, 400, 404, 409}, answer.body
    if answer.status != 201:
        assert database.rows(COUNTS) == before
        assert answer.pointers
