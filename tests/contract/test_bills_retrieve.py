"""4: GET /billing/bills/{bill}."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    BILLS,
    a_bill,
    a_reference,
    an_account,
    at,
    create_bill,
    refused,
)


def test_a_bill_is_retrieved_by_either_name(client: Client) -> None:
    """4: `GET /billing/bills/{bill}` 200; 1.3: by its id or its external reference."""
    bill = a_bill(client, account=an_account(client)["id"], due_date="2026-01-31", metadata={"a": "1"})
    for name in ("id", "external_reference"):
        answer = client.get(f"{BILLS}/{bill[name]}")
        assert (answer.status, answer.media_type(), answer.json()) == (200, "application/json", bill)


def test_a_bill_that_looks_like_no_bill_of_ours_is_found_by_its_reference(client: Client) -> None:
    """1.3: a bill's reference may begin with `bill_`: the id is tried first, then the reference."""
    for reference in ("bill_0000000000000000000001", "bill_-", "bill_" + "7" * 250):
        bill = a_bill(client, external_reference=reference)
        assert client.get(f"{BILLS}/{reference}").json() == bill


def test_a_retrieve_shows_what_the_last_write_answered(client: Client) -> None:
    """4: `amount_paid`, remaining and status follow at once."""
    path = at(a_bill(client))
    for amount_paid in (1, 1000, 0, 999, 1000):
        written, read = client.patch(path, {"amount_paid": amount_paid}), client.get(path)
        assert (read.json(), read.etag) == (written.json(), written.etag)
    client.patch(path, {"amount_paid": 0})
    written, read = client.send("POST", f"{path}/void"), client.get(path)
    assert (read.json(), read.etag, read.json()["status"]) == (written.json(), written.etag, "voided")


def test_a_bill_has_an_etag_and_a_last_modified(client: Client) -> None:
    """1.1: `ETag` (strong) and `Last-Modified`, on every answer that shows the bill."""
    created = create_bill(client)
    path = created.header("Location")
    answers = [created, client.get(path), client.patch(path, {"due_date": "2026-01-31"})]
    answers.append(client.send("POST", f"{path}/void"))
    for answer in answers:
        assert re.fullmatch('"[\x21\x23-\x7e]+"', answer.etag)
        assert answer.header("Last-Modified").endswith(" GMT")
    assert answers[0].etag == answers[1].etag
    assert len({answer.etag for answer in answers}) == 3


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_if_none_match_gives_304_until_the_bill_changes(client: Client, form: str) -> None:
    """1.1: `If-None-Match` gives 304."""
    created = create_bill(client)
    path, condition = created.header("Location"), form.format(created.etag)
    answer = client.get(path, If_None_Match=condition)
    assert (answer.status, answer.body, answer.etag) == (304, b"", created.etag)
    paid = client.patch(path, {"amount_paid": 1000})
    if form != "*":
        assert client.get(path, If_None_Match=condition).json() == paid.json()


def test_head_answers_like_get_without_the_body(client: Client) -> None:
    path = at(a_bill(client))
    head, got = client.send("HEAD", path), client.get(path)
    assert (head.status, head.body, head.etag) == (200, b"", got.etag)
    assert head.header("Content-Length") == str(len(got.body))


@pytest.mark.parametrize(
    "name",
    ["nobody", "bill_nobody", "bill-", "bill_0000000000000000000000", "bill_" + "1" * 300, "x" * 256, "%00", "a%00b",
     "%0A", "%FF%FE", quote("é"), "a%2Fb", "%2e%2e", "'%20OR%20'1'='1", "null", "~"],
)  # fmt: skip
def test_a_path_that_names_no_bill_is_not_found(client: Client, name: str) -> None:
    """1.5: 404 `not_found`: no such bill, however strange the name."""
    for answer in (client.get(f"{BILLS}/{name}"), client.send("HEAD", f"{BILLS}/{name}")):
        assert answer.status == 404
    assert client.get(f"{BILLS}/{name}").code == "not_found"


def test_a_name_of_another_kind_is_not_found(client: Client) -> None:
    """1.3: a reference is unique per kind; a bill is not found by what it is on."""
    account = an_account(client)
    bill = a_bill(client, account=account["id"])
    for name in (account["id"], account["external_reference"], account["customer_id"]):
        assert client.get(f"{BILLS}/{name}").status == 404
    for place in ("/billing/customers", "/billing/accounts"):
        for name in (bill["id"], bill["external_reference"]):
            assert client.get(f"{place}/{name}").status == 404


def test_a_retrieve_has_no_parameters(client: Client) -> None:
    """1.1: a query parameter that is unknown is 400, each fault named."""
    path = at(a_bill(client))
    refused(client.get(f"{path}?expand=customer&limit=1"), 400, "query: expand", "query: limit")
    assert client.get(f"{BILLS}/{a_reference()}?expand=customer").status == 404


# Who may see it

ROUTES: dict[str, Callable[[Client, str, Json], Answer]] = {
    "retrieve": lambda caller, name, bill: caller.get(f"{BILLS}/{name}"),
    "retrieve if changed": lambda caller, name, bill: caller.get(f"{BILLS}/{name}", If_None_Match='"1"'),
    "head": lambda caller, name, bill: caller.send("HEAD", f"{BILLS}/{name}"),
    "change": lambda caller, name, bill: caller.patch(f"{BILLS}/{name}", {"amount_paid": 1000}),
    "change nothing": lambda caller, name, bill: caller.patch(f"{BILLS}/{name}", bill),
    "change if it stands": lambda caller, name, bill: caller.patch(f"{BILLS}/{name}", {}, If_Match='"1"'),
    "clear": lambda caller, name, bill: caller.merge(f"{BILLS}/{name}", {"due_date": None}),
    "void": lambda caller, name, bill: caller.send("POST", f"{BILLS}/{name}/void"),
    "void with words": lambda caller, name, bill: caller.post(f"{BILLS}/{name}/void", {"metadata": {"a": "1"}}),
}


@pytest.mark.parametrize("name", ["id", "external_reference"])
@pytest.mark.parametrize("send", ROUTES.values(), ids=[*ROUTES])
def test_another_merchants_or_modes_bill_is_found_by_no_route(
    client: Client, live: Client, other: Client, send: Callable[[Client, str, Json], Answer], name: str
) -> None:
    """1.2, 1.5: no such bill in this merchant and mode."""
    bill = a_bill(client, due_date="2026-01-31", metadata={"secret": "words"})
    for stranger in (live, other):
        answer = send(stranger, bill[name], bill)
        assert (answer.status, b"words" in answer.body) == (404, False)
    assert client.get(at(bill)).json() == bill


def test_every_route_of_bills_needs_a_secret_key(
    client: Client, public: Client, anonymous: Client, live: Client
) -> None:
    """1.2: every operation in this file needs a secret key unless it says otherwise."""
    bill = a_bill(client)
    for caller, status in ((public, 403), (anonymous, 401)):
        answers = [send(caller, bill["id"], bill) for send in ROUTES.values()]
        answers += [caller.get(BILLS), caller.post(BILLS, {})]
        assert {answer.status for answer in answers} == {status}
    assert live.get(BILLS).status == 200
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_the_same_reference_names_a_bill_of_each_merchant_and_mode(
    client: Client, live: Client, other: Client, name: str
) -> None:
    """1.2, 1.3: test and live data never meet; the same `external_reference` may exist in both."""
    reference = a_reference()
    bills = [a_bill(caller, external_reference=reference) for caller in (client, live, other)]
    assert len({bill["id"] for bill in bills}) == 3
    for caller, bill in zip((client, live, other), bills, strict=True):
        assert caller.get(f"{BILLS}/{bill[name]}").json() == bill
    live.patch(f"{BILLS}/{reference}", {"amount_paid": 1000})
    assert [caller.get(f"{BILLS}/{reference}").json()["status"] for caller in (client, live, other)] == [
        "unpaid",
        "paid",
        "unpaid",
    ]


def test_another_method_is_405_with_allow(client: Client) -> None:
    """1.5: 405, with `Allow`."""
    bill = a_bill(client)
    for method, path, allowed in (
        ("DELETE", BILLS, {"GET", "HEAD", "POST"}),
        ("PATCH", BILLS, {"GET", "HEAD", "POST"}),
        ("DELETE", at(bill), {"GET", "HEAD", "PATCH"}),
        ("POST", at(bill), {"GET", "HEAD", "PATCH"}),
        ("PUT", at(bill), {"GET", "HEAD", "PATCH"}),
    ):
        answer = client.send(method, path, b"{}", {"Content-Type": "application/json"})
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert set(re.split(r"\s*,\s*", answer.header("Allow"))) == allowed
    assert client.get(at(bill)).json() == bill
