"""Who may do what: a merchant's API keys (contract, section 1.2)."""

import hashlib
from datetime import datetime
from typing import Final, Literal

import msgspec

from owed.model.tenant_settings import TenantSettings

Mode = Literal["test", "live"]
KeyType = Literal["secret", "public"]

PREFIXES: Final[dict[tuple[Mode, KeyType], str]] = {
    ("test", "secret"): "sk_test_",
    ("test", "public"): "pk_test_",
    ("live", "secret"): "sk_",
    ("live", "public"): "pk_",
}


class ApiKey(msgspec.Struct, frozen=True):
    """A key as a worker knows it: whose it is, what it opens, and until when."""

    id: str
    tenant_id: int
    merchant_id: str
    mode: Mode
    type: KeyType
    expires_at: datetime | None
    revoked_at: datetime | None
    settings: TenantSettings


class KeyRecord(msgspec.Struct, frozen=True):
    """A key as its merchant sees it afterwards: all but the key."""

    id: str
    merchant_id: str
    mode: Mode
    type: KeyType
    name: str | None
    last4: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def digest(key: str) -> bytes:
    """Return what is stored of a key. It holds too many random bits to be guessed, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).digest()
