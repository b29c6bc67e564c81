"""3: GET /billing/accounts/{account}."""

import re
from urllib.parse import quote

import pytest

from tests.contract.client import JSON, Client
from tests.contract.samples import ACCOUNTS, DEFAULT_RULES, RULES, a_customer, a_reference, an_account, at


def test_an_account_is_retrieved_with_exactly_its_members(client: Client) -> None:
    """3: `GET /billing/accounts/{account}` 200: members as for a customer, without `email` and `phone`."""
    customer = a_customer(client)
    members = {
        "external_reference": a_reference(),
        "name": "Electricity, 12 Main Road",
        "currency": "ZAR",
        "balance": 2000,
        "payment_rules": RULES,
        "metadata": {"meter": "7", "tariff": "home"},
    }
    account = an_account(client, customer=customer["id"], **members)
    answer = client.get(at(account))
    assert (answer.status, answer.media_type()) == (200, JSON)
    assert answer.json() == members | {"id": account["id"], "customer_id": customer["id"]}


def test_an_optional_member_that_is_not_set_is_absent(client: Client) -> None:
    """1.1: absent from the response, not `null`; `customer_id` is always present."""
    customer = a_customer(client)
    account = an_account(client, customer=customer["external_reference"])
    assert client.get(at(account)).json() == {
        "id": account["id"],
        "external_reference": account["external_reference"],
        "customer_id": customer["id"],
        "payment_rules": DEFAULT_RULES,
    }


def test_an_id_has_its_prefix_and_22_characters(client: Client) -> None:
    """1.3: account `^bacc_[a-zA-Z0-9]+$`, the part after the prefix always 22 characters."""
    ids = [an_account(client)["id"] for _ in range(5)]
    assert all(re.fullmatch("bacc_[a-zA-Z0-9]{22}", found) for found in ids)
    assert ids == sorted(ids)


def test_a_path_takes_the_id_or_the_reference(client: Client) -> None:
    """1.3: a path parameter takes either the id or the external reference."""
    account = an_account(client)
    for name in (account["id"], account["external_reference"], quote(account["id"], safe="").replace("b", "%62", 1)):
        assert client.get(f"{ACCOUNTS}/{name}").json() == account


def test_a_retrieve_shows_what_the_last_write_answered(client: Client) -> None:
    """2, 3: what a caller has seen written is what it reads, at once."""
    account = an_account(client)
    for number in range(10):
        written = client.patch(at(account), {"name": f"Name {number}"})
        read = client.get(at(account))
        assert (read.json(), read.etag) == (written.json(), written.etag)


def test_a_change_of_the_customer_leaves_the_account_alone(client: Client) -> None:
    """3: a balance, a name and rules of its own."""
    customer = a_customer(client, currency="ZAR", balance=5)
    account = an_account(client, customer=customer["id"])
    before = client.get(at(account))
    client.patch(at(customer), {"name": "New", "balance": 7, "payment_rules": RULES, "metadata": {"a": "b"}})
    after = client.get(at(account))
    assert (after.body, after.etag) == (before.body, before.etag)


def test_head_answers_like_get_without_the_body(client: Client) -> None:
    """RFC 9110, 9.3.2: HEAD is GET without the content."""
    path = at(an_account(client))
    head, got = client.send("HEAD", path), client.get(path)
    assert (head.status, head.body, head.etag) == (200, b"", got.etag)
    assert head.header("Content-Length") == str(len(got.body))


def test_a_retrieve_takes_no_query(client: Client) -> None:
    """1.1: a query parameter that is unknown is 400."""
    answer = client.get(f"{at(an_account(client))}?customer=x")
    assert (answer.status, answer.pointers) == (400, ["query: customer"])


@pytest.mark.parametrize(
    "name", ["nobody", "bacc_", "bacc_0000000000000000000000", "x" * 3000, "%00", "%FF", quote("é")]
)
def test_an_account_that_does_not_exist_is_404(client: Client, name: str) -> None:
    """1.5: 404 `not_found`: no such account."""
    for answer in (client.get(f"{ACCOUNTS}/{name}"), client.patch(f"{ACCOUNTS}/{name}", {"name": "x"})):
        assert (answer.status, answer.code) == (404, "not_found")


def test_a_customer_is_no_account(client: Client) -> None:
    """1.3: ids and references are of their kind."""
    customer = a_customer(client)
    for name in ("id", "external_reference"):
        assert client.get(f"{ACCOUNTS}/{customer[name]}").status == 404
        assert client.patch(f"{ACCOUNTS}/{customer[name]}", {"name": "x"}).status == 404
