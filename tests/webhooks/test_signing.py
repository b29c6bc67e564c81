"""Signatures, checked as a merchant checks them: with the verifier of the public package."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from owed.webhooks.signing import signed_headers
from tests.webhooks.secrets import a_secret

EVENT = "evt_0000000000000000000001"
BODY = '{"id":"evt_0000000000000000000001","data":{"name":"Zoë"}}'.encode()


def now() -> datetime:
    return datetime.now(UTC)


def test_the_headers_are_those_of_the_public_scheme() -> None:
    """The vector is the scheme's own."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (it is public)

    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}', (secret,)
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_secret_signs_and_another_does_not() -> None:
    old, new, strange = a_secret(), a_secret(), a_secret()

    headers = signed_headers(EVENT, now(), BODY, (new, old))

    assert headers["webhook-id"] == EVENT
    assert Webhook(new).verify(BODY, headers) == Webhook(old).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(strange).verify(BODY, headers)


@pytest.mark.parametrize("part", ["id", "time", "body"])
def test_a_signature_holds_for_nothing_else(part: str) -> None:
    secret = a_secret()
    headers = signed_headers(EVENT, now(), BODY, (secret,))
    if part == "id":
        headers["webhook-id"] = EVENT[:-1] + "2"
    if part == "time":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" " if part == "body" else BODY, headers)


def test_an_attempt_of_another_time_zone_is_of_the_same_moment() -> None:
    at, secret = now(), a_secret()
    elsewhere = at.astimezone(datetime.strptime("+0200", "%z").tzinfo)

    assert signed_headers(EVENT, elsewhere, BODY, (secret,)) == signed_headers(EVENT, at, BODY, (secret,))


def test_each_attempt_has_a_signature_of_its_own() -> None:
    at, secret = now(), a_secret()
    first, second = (signed_headers(EVENT, at + timedelta(seconds=number), BODY, (secret,)) for number in range(2))

    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]
