"""An answer: what goes out to a client, and what an idempotency key keeps."""

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer, less the headers that are the same for every answer.

    Attributes:
        reapplied: How many transfers were applied on top of a balance that was of an earlier time.
    """

    status: int
    body: bytes
    location: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    reapplied: int | None = None


class KeptAnswer(msgspec.Struct, frozen=True):
    """The answer that a key keeps, and the fingerprint of the request that it answered."""

    fingerprint: bytes
    answer: Answer
