"""What is left of an event, and of a refusal, that told of a person who was erased."""

import json
from typing import Any

import pytest

from owed.core.redacting import names_any, redacted_event, redacted_problem

EVENT = {"id": "evt_1", "type": "customer.updated"}
PROBLEM = {
    "type": "http://owed/docs/errors#conflict",
    "title": "Conflict",
    "status": 409,
    "detail": "The external reference 'JANE-1' belongs to another customer already.",
    "instance": "/billing/customers/JANE-1",
    "code": "conflict",
    "request_id": "JANE",
    "errors": [{"pointer": "/customer", "detail": "There is no customer 'JANE-1'."}],
    "payment_id": "pay_1",
}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_ids_and_amounts_stay_and_nothing_else() -> None:
    data = {"id": "bcus_1", "external_reference": "JANE", "name": "Jane", "email": "j@x.org", "phone": "+27",
            "balance": 5, "currency": "ZAR", "payment_rules": {}, "metadata": {"a": "b"}, "any": "new"}  # fmt: skip
    left = json.loads(redacted_event(encoded({**EVENT, "data": data}), "erased_1"))

    assert left == {
        **EVENT,
        "redacted": True,
        "data": {"id": "bcus_1", "balance": 5, "currency": "ZAR", "external_reference": "erased_1"},
    }


def test_an_amount_stays_whole_but_for_what_is_in_its_metadata() -> None:
    data = {"id": "ob_1", "amount": 5, "currency": "ZAR", "payment_id": "pay_1", "customer_id": "bcus_1",
            "refund_id": "ref_1", "metadata": {"who": "Jane"}, "created_at": "then", "updated_at": "now"}  # fmt: skip
    body = encoded({"id": "evt_1", "type": "obligation.amount_reversed", "data": data})

    assert json.loads(redacted_event(body, "erased_1"))["data"] == {**data, "metadata": {}}


def test_to_redact_twice_is_to_redact_once() -> None:
    once = redacted_event(encoded({**EVENT, "data": {"id": "bcus_1", "external_reference": "J", "balance": 1}}), "e")

    assert redacted_event(once, "e") == once


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("the reference 'JANE-1' is taken", True),
        ("/billing/customers/JANE-1", True),
        ("/billing/customers/JANE-1/erase", True),
        ("/billing/customers/%4aANE%2D1/erase", True),
        ("JANE-1", True),
        ("the reference 'JANE-12' is taken", False),
        ("JANE-1 is somewhere", False),
        ("/billing/customers/JANE", False),
    ],
)
def test_a_refusal_names_what_it_quotes_or_has_in_a_path(text: str, *, is_named: bool) -> None:
    assert names_any(encoded({"detail": text}), {"JANE-1", "other"}) is is_named


def test_of_a_refusal_stays_what_names_nobody() -> None:
    left = json.loads(redacted_problem(encoded(PROBLEM), {"JANE-1"}))

    assert left == {
        **{name: PROBLEM[name] for name in ("type", "title", "status", "code", "request_id", "payment_id")},
        "detail": "This answer named a customer who was erased since, so no more is left of it.",
        "instance": "/billing/customers",
    }
