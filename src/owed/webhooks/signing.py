"""Signatures of webhooks, as the Standard Webhooks scheme has them (contract, section 7)."""

from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook


def signed_headers(event_id: str, at: datetime, body: bytes, secrets: tuple[str, ...]) -> dict[str, str]:
    """Give the three headers that tell a receiver whose a body is, and of when.

    Args:
        event_id: It stays the same over all attempts.
        at: The time of this attempt.
        body: The exact bytes that are sent, which are UTF-8.
        secrets: All that are valid; each signs, so that a receiver may know any one of them.
    """
    moment, text = at.astimezone(UTC), body.decode()
    signatures = [_signer(secret).sign(event_id, moment, text) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


@lru_cache(maxsize=4096)
def _signer(secret: str) -> Webhook:
    return Webhook(secret)
