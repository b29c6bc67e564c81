"""Verification: which step fails, where a receiver refuses what it got, and why."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from owed.model.webhook_endpoint import Secret
from owed.webhooks.signing import signed_headers
from owed.webhooks.verification import Holder, Received, Step, Verification, verify

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT_ID = "evt_0Nn4c3kXq1J8eY2bT5vR7s"
DATA = {"id": "bcus_1", "name": "Zoë", "balance": 2000, "metadata": {"b": "2", "a": "1"}}
SENT = msgspec.json.encode({"id": EVENT_ID, "type": "customer.created", "data": DATA})
OTHER = SENT.replace(b"2000", b"2001")


def a_holder(number: int, *, expires_at: datetime | None = None) -> Holder:
    value = "whsec_" + base64.b64encode(bytes([number]) * 32).decode()
    secret = Secret(id=f"sec_{number}", value=value, created_at=NOW, expires_at=expires_at)
    return Holder(f"we_{number}", secret)


MINE, HERS, OLD = a_holder(1), a_holder(2), a_holder(3, expires_at=NOW - timedelta(hours=1))
EVERYBODY = (MINE, HERS, OLD)


def headers(*holders: Holder, at: datetime = NOW) -> dict[str, str]:
    """Sign what is sent as a worker does."""
    return signed_headers(EVENT_ID, at, SENT, tuple(holder.secret.value for holder in holders or (MINE,)))


def altered(name: str, value: str | None) -> dict[str, str]:
    """Give the headers with one of them altered, or left out."""
    given = headers() | {f"webhook-{name}": value}
    return {name: value for name, value in given.items() if value is not None}


def verified(
    given: dict[str, str], body: bytes = SENT, *, holder: Holder = MINE, sent: bytes | None = SENT
) -> Verification:
    return verify(Received(given, body), holder, EVERYBODY, sent, NOW)


def passed(verification: Verification) -> dict[str, bool | None]:
    return {step.step: step.passed for step in verification.steps}


def detail(verification: Verification, name: str) -> str:
    (found,) = (step for step in verification.steps if step.step == name)
    return found.detail


def steps(headers: Any = True, time: Any = True, secret: Any = True, body: Any = True) -> dict[str, bool | None]:
    return {"headers": headers, "time": time, "secret": secret, "body": body}


def test_what_is_as_it_was_sent_is_verified() -> None:
    verification = verified(headers())
    assert passed(verification) == steps()
    assert verification.shown() == {"verified": True, "steps": verification.steps}


def test_a_step_is_shown_with_what_came_of_it_and_without_where_nobody_can_say() -> None:
    assert msgspec.to_builtins([Step("time", "It is.", passed=True), Step("secret", "Who knows.")]) == [
        {"step": "time", "detail": "It is.", "passed": True},
        {"step": "secret", "detail": "Who knows."},
    ]


@pytest.mark.parametrize("signers", [(MINE, HERS), (HERS, MINE), (OLD, HERS, MINE)])
def test_one_of_several_signatures_is_enough(signers: tuple[Holder, ...]) -> None:
    assert passed(verified(headers(*signers))) == steps()


# Headers


@pytest.mark.parametrize(
    ("name", "value", "expected", "told"),
    [
        ("id", None, steps(headers=False, secret=None), "webhook-id is missing"),
        ("id", "msg_1", steps(headers=False, secret=None), "webhook-id is not"),
        ("id", EVENT_ID + "\n", steps(headers=False, secret=None), "webhook-id is not"),
        ("timestamp", None, steps(headers=False, time=None, secret=None), "webhook-timestamp is missing"),
        ("timestamp", "2026-03-04", steps(headers=False, time=None, secret=None), "webhook-timestamp is not"),
        ("timestamp", "1" * 12, steps(headers=False, time=None, secret=None), "webhook-timestamp is not"),
        ("timestamp", "-5", steps(headers=False, time=None, secret=None), "webhook-timestamp is not"),
        ("timestamp", "\u0661\u0662", steps(headers=False, time=None, secret=None), "webhook-timestamp is not"),
        ("signature", None, steps(headers=False, secret=None), "webhook-signature is missing"),
        ("signature", "v2,AAAA", steps(headers=False, secret=None), "no v1,<base64>"),
        ("signature", "v1,!", steps(headers=False, secret=None), "no v1,<base64>"),
        ("signature", "v1", steps(headers=False, secret=None), "no v1,<base64>"),
    ],
)
def test_a_header_that_is_missing_or_malformed_is_named(
    name: str, value: str | None, expected: dict[str, bool | None], told: str
) -> None:
    verification = verified(altered(name, value))
    assert (passed(verification), verification.failed_step) == (expected, "headers")
    assert told in detail(verification, "headers")


def test_without_any_header_each_is_named() -> None:
    told = detail(verified({}), "headers")
    assert all(name in told for name in ("webhook-id", "webhook-timestamp", "webhook-signature"))


# Time


@pytest.mark.parametrize(
    ("age", "is_in_time", "told"),
    [
        (0, True, "0 s ago"),
        (119, True, "119 s ago"),
        (300, True, "5 min ago"),
        (301, False, "5 min ago"),
        (2 * 86_400, False, "2 days ago"),
        (3 * 3_600, False, "3 h ago"),
        (-300, True, "5 min from now"),
        (-301, False, "5 min from now"),
    ],
)
def test_a_signature_is_good_for_five_minutes_either_way(age: int, is_in_time: bool, told: str) -> None:
    verification = verified(headers(at=NOW - timedelta(seconds=age)))
    assert passed(verification) == steps(time=is_in_time)
    assert verification.failed_step == (None if is_in_time else "time")
    assert told in detail(verification, "time")


@pytest.mark.parametrize("age", [0, 290, 310, -290, -310])
def test_the_time_is_judged_as_the_public_verifier_does(age: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    given = headers(at=now - timedelta(seconds=age))
    try:
        Webhook(MINE.secret.value).verify(SENT, given)
        theirs = True
    except WebhookVerificationError:
        theirs = False
    assert verify(Received(given, SENT), MINE, EVERYBODY, SENT, now).shown()["verified"] is theirs


# Secret


def test_another_secret_is_named_with_its_endpoint() -> None:
    verification = verified(headers(HERS))
    assert (passed(verification), verification.failed_step) == (steps(secret=False), "secret")
    assert "sec_2 of the endpoint we_2" in detail(verification, "secret")


def test_a_secret_that_has_expired_says_when() -> None:
    verification = verified(headers(OLD), holder=OLD)
    assert passed(verification) == steps()
    assert "2026-03-04T04:06:07Z" in detail(verification, "secret")


def test_a_secret_that_has_expired_says_so_where_a_newer_one_signed() -> None:
    verification = verified(headers(MINE), holder=OLD)
    assert passed(verification) == steps(secret=False)
    assert "sec_1" in detail(verification, "secret")
    assert "sec_3 expired at 2026-03-04T04:06:07Z" in detail(verification, "secret")


def test_a_stranger_s_signature_of_what_was_sent_is_the_secret_s_fault() -> None:
    verification = verified(headers(a_holder(9)))
    assert (passed(verification), verification.failed_step) == (steps(secret=False), "secret")


def test_a_signature_does_not_hold_for_another_event_or_another_time() -> None:
    assert passed(verified(altered("id", "evt_0Nn4c3kXq1J8eY2bT5vR7t"))) == steps(secret=False)
    assert passed(verified(altered("timestamp", str(int(NOW.timestamp()) + 1)))) == steps(secret=False)


# Body


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(json.loads(SENT)).encode(),
        json.dumps(json.loads(SENT), ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(),
        json.dumps(json.loads(SENT), indent=2).encode(),
        SENT + b"\n",
    ],
    ids=["spaces", "sorted", "indented", "newline"],
)
def test_a_body_that_was_re_serialised_is_told_apart(body: bytes) -> None:
    verification = verified(headers(), body)
    assert (passed(verification), verification.failed_step) == (steps(body=False), "body")
    assert "re-serialised" in detail(verification, "body")


@pytest.mark.parametrize("body", [OTHER, b"", b"{", SENT[:-1], "\ufeff".encode() + SENT, b"[" * 5_000])
def test_another_body_is_said_to_be_another(body: bytes) -> None:
    verification = verified(headers(), body)
    assert (passed(verification), verification.failed_step) == (steps(body=False), "body")
    assert "re-serialised" not in detail(verification, "body")


def test_a_body_says_where_it_begins_to_differ() -> None:
    assert f"byte {SENT.index(b'2000') + 3}." in detail(verified(headers(), OTHER), "body")


def test_both_secret_and_body_may_be_wrong() -> None:
    assert passed(verified(headers(HERS), OTHER)) == steps(secret=False, body=False)
    assert passed(verified(headers(a_holder(9)), OTHER)) == steps(secret=False, body=False)


def test_the_body_is_judged_without_the_headers() -> None:
    assert passed(verified({}))["body"] is True
    assert passed(verified({}, OTHER))["body"] is False


# Where what was sent is not known any more


def test_a_signature_proves_what_is_not_stored() -> None:
    assert passed(verified(headers(), sent=None)) == steps()
    assert passed(verified(headers(HERS), sent=None)) == steps(secret=False)


def test_spaces_are_found_out_even_where_nothing_is_stored() -> None:
    verification = verified(headers(), json.dumps(json.loads(SENT)).encode(), sent=None)
    assert (passed(verification), verification.failed_step) == (steps(body=False), "body")
    assert "re-serialised" in detail(verification, "body")


def test_where_nothing_fits_and_nothing_is_stored_nobody_can_say() -> None:
    verification = verified(headers(), OTHER, sent=None)
    assert (passed(verification), verification.failed_step) == (steps(secret=None, body=None), None)
    assert verification.shown()["verified"] is False
