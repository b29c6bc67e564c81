"""2: GET /billing/customers/{customer}."""

import re

from tests.contract.client import Client
from tests.contract.samples import CUSTOMERS, DEFAULT_RULES, RULES, a_customer, a_reference, at, create


def john(reference: str) -> dict[str, object]:
    return {
        "external_reference": reference,
        "name": "John Doe",
        "email": "john.doe@example.com",
        "phone": "+27123456789",
        "currency": "ZAR",
        "balance": 2000,
        "payment_rules": RULES,
        "metadata": {"customer_type": "premium", "registration_source": "website"},
    }


def test_a_customer_is_retrieved_as_the_source_page_shows_it(client: Client) -> None:
    """2: `GET /billing/customers/{customer}` 200, with exactly the members of the table and nothing else."""
    reference = a_reference()
    customer = a_customer(client, **john(reference))
    answer = client.get(at(customer))
    assert (answer.status, answer.media_type()) == (200, "application/json")
    assert answer.json() == john(reference) | {"id": customer["id"]}


def test_an_optional_member_that_is_not_set_is_absent(client: Client) -> None:
    """1.1: an optional member that is not set is absent from the response, not `null`."""
    customer = a_customer(client)
    assert client.get(at(customer)).json() == {
        "id": customer["id"],
        "external_reference": customer["external_reference"],
        "payment_rules": DEFAULT_RULES,
    }


def test_a_retrieve_shows_what_the_last_write_answered(client: Client) -> None:
    """2: what a caller has seen written is what it reads, at once."""
    customer = a_customer(client)
    for number in range(20):
        written = client.patch(at(customer), {"name": f"Name {number}"})
        read = client.get(at(customer))
        assert read.json() == written.json()
        assert read.etag == written.etag


def test_a_retrieve_has_an_etag_and_a_last_modified(client: Client) -> None:
    """1.1: `ETag` (strong) and `Last-Modified` headers carry version and time."""
    answer = client.get(at(a_customer(client)))
    assert re.fullmatch('"[\x21\x23-\x7e]+"', answer.etag)
    assert re.fullmatch(
        r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT",
        answer.header("Last-Modified"),
    )


def test_head_answers_like_get_without_the_body(client: Client) -> None:
    """RFC 9110, 9.3.2: HEAD is GET without the content."""
    path = at(a_customer(client))
    head, got = client.send("HEAD", path), client.get(path)
    assert (head.status, head.body) == (200, b"")
    assert head.etag == got.etag
    assert head.header("Content-Length") == str(len(got.body))
    assert client.send("HEAD", f"{CUSTOMERS}/{a_reference()}").status == 404


def test_text_is_returned_as_it_was_given(client: Client) -> None:
    """1.1: JSON in UTF-8: any text comes back unchanged, never escaped, trimmed or normalised."""
    for name in (
        " padded ",
        "Zoë",
        "Zoe\u0308",
        "😀",
        "\u2028",
        '"\\/',
        "<script>",
        "a\r\nb\tc",
        "\u007f\u0080",
        "\uffff",
    ):
        assert client.get(at(a_customer(client, name=name))).json()["name"] == name
    answer = create(client, name="Zoë 😀")
    assert "Zoë 😀".encode() in answer.body
