"""7: POST /billing/webhook_endpoints/verify-signature: which step fails, where a receiver refuses what it got."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from standardwebhooks import Webhook

from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.debugging import ENDPOINTS, an_endpoint, an_event, at, body_of, delete
from tests.contract.samples import a_key, iso, refused
from tests.contract.service import Database

VERIFY: Final = f"{ENDPOINTS}/verify-signature"
STEPS: Final = ["headers", "time", "secret", "body"]


@pytest.fixture(scope="module")
def endpoint(client: Client) -> Iterator[Json]:
    made = an_endpoint(client)
    yield made
    delete(client, made)


@pytest.fixture(scope="module")
def event(client: Client) -> Json:
    return an_event(client)


@pytest.fixture(scope="module")
def body(database: Database, event: Json) -> str:
    """The event as it is sent."""
    return body_of(database, event).decode()


def signed(endpoint: Json, body: str, at: datetime | None = None) -> dict[str, str]:
    """Sign a body with an endpoint's secret, as a worker does."""
    moment = (at or datetime.now(UTC)).replace(microsecond=0)
    event_id = json.loads(body)["id"]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(endpoint["secret"]).sign(event_id, moment, body),
    }


def ask(client: Client, headers: Any, body: Any, secret: Any, **more: Any) -> Answer:
    return client.post(VERIFY, {"headers": headers, "body": body, "secret": secret} | more)


def verified(client: Client, headers: Json, body: str, endpoint: Json) -> Json:
    """Verify what a receiver got with the newest secret that it knows, and return the verdict, its steps by name."""
    answer = ask(client, headers, body, endpoint["secret_id"])
    assert (answer.status, answer.media_type()) == (200, JSON), answer.body
    verdict: Json = answer.json()
    assert [step["step"] for step in verdict["steps"]] == STEPS
    assert all(set(step) - {"passed"} == {"step", "detail"} for step in verdict["steps"])
    return verdict | {"steps": {step["step"]: step for step in verdict["steps"]}}


def failing(verdict: Json) -> list[str]:
    assert verdict["verified"] is not any(step.get("passed") is not True for step in verdict["steps"].values())
    return [name for name, step in verdict["steps"].items() if step.get("passed") is False]


def test_what_was_sent_is_verified(client: Client, endpoint: Json, body: str) -> None:
    verdict = verified(client, signed(endpoint, body), body, endpoint)
    assert (verdict["verified"], failing(verdict), "failed_step" in verdict) == (True, [], False)


def test_headers_may_be_in_any_case_and_among_others(client: Client, endpoint: Json, body: str) -> None:
    headers = {name.title(): f" {value} " for name, value in signed(endpoint, body).items()}
    others: Json = {"Content-Type": JSON, "X-Count": "3", "x-count": "4", "Via": ""}
    assert verified(client, headers | others, body, endpoint)["verified"] is True


def test_a_header_that_is_missing_is_named(client: Client, endpoint: Json, body: str) -> None:
    headers = signed(endpoint, body)
    del headers["webhook-timestamp"]
    verdict = verified(client, headers, body, endpoint)
    assert (verdict["failed_step"], failing(verdict)) == ("headers", ["headers"])
    assert "webhook-timestamp" in verdict["steps"]["headers"]["detail"]
    assert "passed" not in verdict["steps"]["time"]


def test_an_old_signature_fails_by_its_time_alone(client: Client, endpoint: Json, body: str) -> None:
    headers = signed(endpoint, body, datetime.now(UTC) - timedelta(hours=3))
    verdict = verified(client, headers, body, endpoint)
    assert (verdict["failed_step"], failing(verdict)) == ("time", ["time"])
    assert "3 h ago" in verdict["steps"]["time"]["detail"]


def test_the_secret_of_another_endpoint_is_named(client: Client, endpoint: Json, body: str) -> None:
    another = an_endpoint(client)
    verdict = verified(client, signed(another, body), body, endpoint)
    assert (verdict["failed_step"], failing(verdict)) == ("secret", ["secret"])
    assert another["id"] in verdict["steps"]["secret"]["detail"]
    assert another["secret"] not in str(verdict)
    delete(client, another)


def test_the_secret_of_the_same_endpoint_that_was_rotated_is_named(client: Client, body: str) -> None:
    endpoint = an_endpoint(client)
    rotated = client.post(at(endpoint, "rotate-secret"), {}).json()
    verdict = verified(client, signed(endpoint, body), body, rotated)
    assert failing(verdict) == ["secret"]
    assert endpoint["secret_id"] in verdict["steps"]["secret"]["detail"]
    assert verified(client, signed(endpoint, body), body, endpoint)["verified"] is True
    delete(client, endpoint)


def test_a_secret_that_has_expired_says_when(client: Client, database: Database, body: str) -> None:
    endpoint = an_endpoint(client)
    rotated = client.post(at(endpoint, "rotate-secret"), {}).json()
    expired_at = iso(datetime.now(UTC) - timedelta(hours=1))
    database.execute(
        """UPDATE webhook_endpoint SET secrets = jsonb_set(secrets::jsonb, '{1,expires_at}', to_jsonb($1::text))::json
            WHERE id = $2""",
        expired_at,
        endpoint["id"],
    )
    verdict = verified(client, signed(rotated, body), body, endpoint)
    assert failing(verdict) == ["secret"]
    assert f"expired at {expired_at[:19]}Z" in verdict["steps"]["secret"]["detail"]
    delete(client, endpoint)


def test_the_secret_of_another_merchant_is_nobodys(client: Client, other: Client, endpoint: Json, body: str) -> None:
    foreign = an_endpoint(other)
    verdict = verified(client, signed(foreign, body), body, endpoint)
    assert failing(verdict) == ["secret"]
    assert foreign["id"] not in str(verdict)
    delete(other, foreign)


def test_a_body_that_was_re_serialised_is_told_apart_from_another(client: Client, endpoint: Json, body: str) -> None:
    headers = signed(endpoint, body)
    spaced, changed = json.dumps(json.loads(body)), body.replace("customer.created", "customer.updated")
    for received, is_the_same_json in ((spaced, True), (changed, False)):
        verdict = verified(client, headers, received, endpoint)
        assert (verdict["failed_step"], failing(verdict)) == ("body", ["body"])
        assert ("re-serialised" in verdict["steps"]["body"]["detail"]) is is_the_same_json


def test_a_body_of_an_event_that_is_not_stored_is_judged_by_its_signature(client: Client, endpoint: Json) -> None:
    sample = json.dumps({"id": "evt_0000000000000000000000", "type": "bill.paid", "data": {"id": "bill_1"}})
    headers = signed(endpoint, sample)
    assert verified(client, headers, sample, endpoint)["verified"] is True
    verdict = verified(client, headers, sample.replace("bill_1", "bill_2"), endpoint)
    assert (verdict["verified"], "failed_step" in verdict, failing(verdict)) == (False, False, [])


def test_another_merchants_event_is_as_one_that_is_not_stored(other: Client, endpoint: Json, body: str) -> None:
    own = an_endpoint(other)
    verdict = verified(other, signed(endpoint, body), body, own)
    assert "passed" not in verdict["steps"]["secret"]
    assert "passed" not in verdict["steps"]["body"]
    delete(other, own)


# Refusals


def test_a_secret_that_there_is_not_is_404(client: Client, other: Client, live: Client, body: str) -> None:
    gone, foreign = an_endpoint(client), an_endpoint(other)
    delete(client, gone)
    headers = signed(foreign, body)
    for secret in ("sec_0000000000000000000000", "UCR1", gone["secret_id"], foreign["secret_id"]):
        refused(ask(client, headers, body, secret), 404, "/secret")
    refused(ask(live, headers, body, foreign["secret_id"]), 404, "/secret")
    delete(other, foreign)


@pytest.mark.parametrize(
    ("member", "value", "pointers"),
    [
        ("headers", None, ["/headers"]),
        ("headers", [], ["/headers"]),
        ("headers", "webhook-id: evt_1", ["/headers"]),
        ("headers", {"webhook-id": 1}, ["/headers/webhook-id"]),
        ("headers", {"Webhook-Signature": ["v1,AAAA"]}, ["/headers/Webhook-Signature"]),
        ("headers", {"X-Count": 3, "Via": None}, ["/headers/X-Count", "/headers/Via"]),
        ("headers", {"webhook-id": "a", "Webhook-Id": "b"}, ["/headers/webhook-id", "/headers/Webhook-Id"]),
        ("headers", {"webhook-signature": "v1,A " * 1000}, ["/headers/webhook-signature"]),
        ("body", None, ["/body"]),
        ("body", {"id": "evt_1"}, ["/body"]),
        ("body", "x" * 262_145, ["/body"]),
        ("secret", None, ["/secret"]),
        ("secret", 1, ["/secret"]),
        ("secret", "whsec_AAAA/+", ["/secret"]),
        ("endpoint", "we_1", ["/endpoint"]),
    ],
)
def test_each_fault_is_named(client: Client, member: str, value: Any, pointers: list[str]) -> None:
    request: Json = {"headers": {}, "body": "", "secret": "sec_1"} | {member: value}
    refused(client.post(VERIFY, request), 400, *pointers)


def test_the_rest_of_a_request_is_checked_too(client: Client, endpoint: Json) -> None:
    refused(client.post(VERIFY, {}), 400, "/headers", "/body", "/secret")
    refused(client.post(f"{VERIFY}?x=1", b"{"), 400, "", "query: x")
    request: Json = {"headers": {}, "body": "", "secret": endpoint["secret_id"]}
    refused(client.post(VERIFY, request, Idempotency_Key="a b"), 400, "header: Idempotency-Key")
    assert client.post(VERIFY, request, Idempotency_Key=a_key()).status == 200


def test_a_public_key_may_not(public: Client, anonymous: Client) -> None:
    assert [caller.post(VERIFY, {}).status for caller in (public, anonymous)] == [403, 401]
