"""6: POST /billing/payments/{payment}/reversals: what only a reversal has; what it shares with a refund is there."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.client import JSON, Client, Json
from tests.contract.samples import (
    REFUND,
    REVERSAL,
    a_bill,
    a_key,
    a_payment,
    as_it_stands,
    iso,
    moment,
    refused,
    transfers,
)
from tests.contract.service import Database


@pytest.fixture(scope="module")
def payment(client: Client) -> Json:
    """A payment of which little is ever taken back."""
    return a_payment(client, 1000, bill=a_bill(client)["id"])


@pytest.mark.parametrize("reason", ["dishonoured", "chargeback", "error", "other"])
def test_a_reversal_has_one_of_four_reasons(client: Client, payment: Json, reason: str) -> None:
    """6: a `reason` of `dishonoured`, `chargeback`, `error`, `other`."""
    assert REVERSAL.make(client, payment, amount=1, reason=reason)["reason"] == reason


@pytest.mark.parametrize("reason", ["", "fraud", "Error", "error ", "bounced", "dishonored", 5, True, [], {}])
def test_it_has_no_other_reason(client: Client, payment: Json, reason: object) -> None:
    refused(REVERSAL.create(client, payment, amount=1, reason=reason), 400, "/reason")


def test_a_reason_is_required(client: Client, payment: Json) -> None:
    """6: only a refund may go without one, and without a body."""
    before = as_it_stands(client, payment)
    for body in ({}, {"amount": 1}, {"amount": 1, "reason": None}):
        refused(client.post(REVERSAL.at(payment), body, Idempotency_Key=a_key()), 400, "/reason")
    for headers in ({}, {"Content-Length": "0", "Content-Type": JSON}):
        answer = client.send("POST", REVERSAL.at(payment), headers=headers | {"Idempotency-Key": a_key()})
        assert answer.status in (400, 415), answer.body
    assert as_it_stands(client, payment) == before


def test_it_says_when_it_occurred(client: Client, payment: Json, database: Database) -> None:
    """6: `occurred_at`, which its transfer keeps beside the time at which it was recorded."""
    for occurred_at in ("2026-01-31T09:30:00Z", "1970-01-01T00:00:00Z", "2026-02-28T23:59:59.123456Z"):
        made = REVERSAL.make(client, payment, amount=1, occurred_at=occurred_at)
        assert moment(made["occurred_at"]) == datetime.fromisoformat(occurred_at)
        assert client.get(f"{REVERSAL.at(payment)}/{made['id']}").json() == made
        kept = "SELECT occurred_at, recorded_at FROM transfer WHERE taken_back_id = $1"
        ((occurred, recorded),) = (tuple(row) for row in database.rows(kept, made["id"]))
        assert occurred == datetime.fromisoformat(occurred_at)
        assert timedelta(0) <= recorded - moment(made["created_at"]) < timedelta(seconds=1)


def test_it_occurred_now_where_nothing_else_is_said(client: Client, payment: Json) -> None:
    made = REVERSAL.make(client, payment, amount=1)
    assert made["occurred_at"] == made["created_at"]


@pytest.mark.parametrize(
    "occurred_at",
    [
        "", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30:00+00:00", "2026-02-30T00:00:00Z", "yesterday",
        "2026-01-31 09:30:00Z", "1969-12-31T23:59:59Z", "2026-01-31T24:00:01Z", "2026-01-31T09:30:00Z\n",
        "2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 1769851800, 1.5, True, [], {},
    ],
)  # fmt: skip
def test_when_it_occurred_may_not_be(client: Client, payment: Json, occurred_at: object) -> None:
    """1.1: ISO 8601 in UTC with a `Z`; 6: not in the future."""
    refused(REVERSAL.create(client, payment, amount=1, occurred_at=occurred_at), 400, "/occurred_at")


def test_it_may_have_occurred_just_now_but_not_soon(client: Client, payment: Json) -> None:
    """6: not in the future: the clock is the service's."""
    soon, just_now = (iso(datetime.now(UTC) + timedelta(seconds=seconds)) for seconds in (60, -1))
    refused(REVERSAL.create(client, payment, amount=1, occurred_at=soon), 400, "/occurred_at")
    assert REVERSAL.create(client, payment, amount=1, occurred_at=just_now).status == 201


def test_a_refund_does_not_say_when_it_occurred(client: Client, payment: Json) -> None:
    """6: `occurred_at` is a member of a reversal alone: a refund is made here and now."""
    refused(REFUND.create(client, payment, amount=1, occurred_at="2026-01-31T09:30:00Z"), 400, "/occurred_at")


def test_a_payment_may_have_bounced_before_it_was_recorded(client: Client, database: Database) -> None:
    """6: what happened when, and what was recorded when, are two orders; the totals follow the second."""
    bill = a_bill(client)
    payment = a_payment(client, 1000, bill=bill["id"], paid_at="2026-01-31T10:00:00Z")
    REVERSAL.make(client, payment, reason="dishonoured", occurred_at="2026-01-30T10:00:00Z")
    assert [row[4] for row in transfers(database, bill)] == [1000, 0, 1000]
    times = "SELECT occurred_at, recorded_at FROM transfer WHERE obligation_id = $1 ORDER BY version"
    occurred, recorded = zip(*(tuple(row) for row in database.rows(times, bill["id"])), strict=True)
    assert [time.day for time in occurred[1:]] == [31, 30]
    assert list(recorded) == sorted(set(recorded))


def test_a_bounced_payment_may_be_made_again(client: Client) -> None:
    """6: money that never was good leaves the bill as it was, and payable."""
    bill = a_bill(client)
    for _ in range(3):
        payment = a_payment(client, 1000, bill=bill["id"])
        assert as_it_stands(client, bill)["status"] == "paid"
        REVERSAL.make(client, payment, reason="dishonoured")
        assert as_it_stands(client, bill) == bill
