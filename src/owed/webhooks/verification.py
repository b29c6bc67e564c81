"""Verification: whether what a receiver got is what was signed, and if not, which step fails and why."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from owed.model.identifiers import EVENT, pattern
from owed.model.webhook_endpoint import Secret
from owed.webhooks.signing import signed_headers

TOLERANCE = timedelta(minutes=5)
"""How old or how new a signature may be."""

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")

is_event_id = pattern(EVENT).fullmatch
is_timestamp = re.compile("[0-9]{1,11}", re.ASCII).fullmatch


class Holder(NamedTuple):
    """A secret, and the endpoint that has it."""

    endpoint_id: str
    secret: Secret


class Received(NamedTuple):
    """What a receiver got.

    Attributes:
        headers: The three that count, by their names in lower case, as far as they are there.
    """

    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str | None:
        """Give the id of the event, if it can be one."""
        text = self.headers.get("webhook-id", "")
        return text if is_event_id(text) else None

    @property
    def signed_at(self) -> datetime | None:
        """Give when it was signed, if that can be read."""
        text = self.headers.get("webhook-timestamp", "")
        return datetime.fromtimestamp(int(text), UTC) if is_timestamp(text) else None

    @property
    def signatures(self) -> list[bytes]:
        """List the signatures of the scheme's first version, those that can be read."""
        versioned = (text.partition(",") for text in self.headers.get("webhook-signature", "").split())
        return [bytes_of for version, _, text in versioned if version == "v1" and (bytes_of := decoded(text))]


class Match(NamedTuple):
    """What a signature was found to be made of."""

    holder: Holder
    body: bytes


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a verification.

    Attributes:
        passed: None where nobody can say.
    """

    step: str
    detail: str
    passed: bool | None = None


class Verification(msgspec.Struct, frozen=True):
    """What came of a verification."""

    steps: tuple[Step, ...]

    @property
    def failed_step(self) -> str | None:
        """Give the first step that fails."""
        return next((step.step for step in self.steps if step.passed is False), None)

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        failed = {} if self.failed_step is None else {"failed_step": self.failed_step}
        return {"verified": all(step.passed for step in self.steps), "steps": self.steps, **failed}


def verify(
    received: Received, holder: Holder, others: Sequence[Holder], sent: bytes | None, now: datetime
) -> Verification:
    """Take every step of a verification as far as it can be taken.

    Args:
        holder: The secret that the receiver knows.
        others: Those that it may have been mistaken for.
        sent: The body of the event, if it is still known.
    """
    match = find_match(received, [holder, *others], sent)
    steps = (
        headers_step(received),
        time_step(received.signed_at, now),
        secret_step(received, holder, match, now, is_known=sent is not None),
        body_step(received.body, match, sent),
    )
    return Verification(steps)


def find_match(received: Received, holders: Sequence[Holder], sent: bytes | None) -> Match | None:
    """Find what one of the signatures was made of: the first of the secrets, over what came or what had been sent."""
    event_id, signed_at, signatures = received.event_id, received.signed_at, received.signatures
    if event_id is None or signed_at is None or not signatures:
        return None
    bodies = [received.body, *originals(received.body, sent)]
    for match in (Match(holder, body) for holder in holders for body in bodies):
        own = signature(event_id, signed_at, match)
        if any([hmac.compare_digest(own, each) for each in signatures]):  # noqa: C419  (each of them takes its time)
            return match
    return None


def originals(body: bytes, sent: bytes | None) -> Iterator[bytes]:
    """Yield what a body may have been made of: what was sent, or else the same JSON as we would write it."""
    if sent is not None:
        yield sent
    elif (value := parsed(body)) is not msgspec.UNSET:
        yield msgspec.json.encode(value)


def signature(event_id: str, signed_at: datetime, match: Match) -> bytes:
    """Sign a body with a secret."""
    headers = signed_headers(event_id, signed_at, match.body, (match.holder.secret.value,))
    return base64.b64decode(headers["webhook-signature"].removeprefix("v1,"))


def headers_step(received: Received) -> Step:
    """Look for the three headers."""
    faults = [f"{name} is missing" for name in HEADERS if name not in received.headers]
    if "webhook-id" in received.headers and received.event_id is None:
        faults.append("webhook-id is not the id of an event, evt_…")
    if "webhook-timestamp" in received.headers and received.signed_at is None:
        faults.append("webhook-timestamp is not a number of seconds since 1970")
    if "webhook-signature" in received.headers and not received.signatures:
        faults.append("webhook-signature holds no v1,<base64>")
    detail = "; ".join(faults) or "All three are there and well formed"
    return Step("headers", f"{detail}.", passed=not faults)


def time_step(signed_at: datetime | None, now: datetime) -> Step:
    """Compare the time of the signature with the time."""
    if signed_at is None:
        return Step("time", "There is no time to compare.")
    age = now - signed_at
    when = f"{duration(age)} ago" if age >= timedelta(0) else f"{duration(-age)} from now"
    detail = f"It was signed at {written(signed_at)}, {when}"
    if abs(age) <= TOLERANCE:
        return Step("time", f"{detail}.", passed=True)
    limit = "a receiver takes up to 5 minutes, before or after its own time"
    return Step("time", f"{detail}; {limit}. Look at its clock, if it was refused as it came in.", passed=False)


def secret_step(received: Received, holder: Holder, match: Match | None, now: datetime, *, is_known: bool) -> Step:
    """Say whether a signature was made with the secret.

    Args:
        is_known: Whether what had been sent is known.
    """
    secret = holder.secret
    if match is not None and match.holder.secret.id == secret.id:
        return Step("secret", f"A signature was made with {secret.id}.{expiry(secret, now)}", passed=True)
    if match is not None:
        owner = f"{match.holder.secret.id} of the endpoint {match.holder.endpoint_id}"
        detail = f"The signature was made with {owner}, not with {secret.id}."
        return Step("secret", detail + expiry(secret, now), passed=False)
    if not received.signatures or received.event_id is None or received.signed_at is None:
        return Step("secret", "Without the headers nobody can say.")
    if not is_known:
        detail = "No signature fits this body, and what was sent is not stored: it may be the secret or the body."
        return Step("secret", detail + expiry(secret, now))
    detail = f"No signature was made with {secret.id}, or any other secret of yours, of this event at this time."
    return Step("secret", detail + expiry(secret, now), passed=False)


def body_step(body: bytes, match: Match | None, sent: bytes | None) -> Step:
    """Compare the body with what was signed."""
    original = match.body if match else sent
    if original is None:
        return Step("body", "What was sent is not stored, as of a test or a time long past: nobody can say.")
    if body == original:
        return Step("body", "These are the bytes that were sent.", passed=True)
    where = f"The first difference is at byte {difference(body, original)}."
    if canonical(body) == canonical(original):
        detail = "This was re-serialised: it is the same JSON in other bytes. Verify the raw bytes, before any parsing."
        return Step("body", f"{detail} {where}", passed=False)
    return Step("body", f"This is not what was sent. {where}", passed=False)


def expiry(secret: Secret, now: datetime) -> str:
    """Say when a secret has expired or will, if that is known."""
    if secret.expires_at is None:
        return ""
    verb = "expires" if secret.is_valid_at(now) else "expired"
    return f" {secret.id} {verb} at {written(secret.expires_at)}."


def decoded(text: str) -> bytes:
    """Decode base64; what is none is as good as nothing."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def parsed(body: bytes) -> Any:
    """Parse a body; UNSET where it is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.UNSET


def canonical(body: bytes) -> bytes:
    """Write the JSON of a body in one way for all; a body that is none stays as it is."""
    value = parsed(body)
    return body if value is msgspec.UNSET else msgspec.json.encode(value, order="deterministic")


def written(moment: datetime) -> str:
    """Write a time."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def difference(one: bytes, other: bytes) -> int:
    """Count the bytes that two bodies begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def duration(span: timedelta) -> str:
    """Write a duration in its largest unit that counts to two."""
    for unit, seconds in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if span >= timedelta(seconds=2 * seconds):
            return f"{span // timedelta(seconds=seconds)} {unit}"
    return f"{span // timedelta(seconds=1)} s"
