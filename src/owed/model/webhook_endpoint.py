"""A webhook endpoint: where a merchant is told what happened, and with which secrets that is signed."""

import base64
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec

EVENT_TYPES: Final = (
    "obligation.amount_applied", "obligation.amount_reversed", "customer.created", "customer.updated",
    "account.created", "account.updated", "bill.created", "bill.updated", "bill.paid", "bill.voided",
)  # fmt: skip
"""Every type of event that there is (contract, section 7)."""

EVERY_TYPE: Final = "*"
"""What stands for all types, also for those that come to be later."""

DEFAULT_TYPES: Final = ("obligation.amount_applied",)
"""What an endpoint gets that asks for nothing: what receivers written for the public API know."""


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing."""

    REQUESTED = "requested"
    GONE = "gone"
    FAILING = "failing"


class Secret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an endpoint's events are signed with.

    Attributes:
        value: As the merchant gets it, `whsec_` and base64.
        expires_at: When it stops signing; None as long as it is the newest.
    """

    id: str
    value: str
    created_at: datetime
    expires_at: datetime | None = None

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether it signs at a moment."""
        return self.expires_at is None or moment < self.expires_at

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows of it, but for its value; what is not set is absent."""
        members = {"id": self.id, "created_at": self.created_at, "expires_at": self.expires_at}
        return {name: value for name, value in members.items() if value is not None}


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of one tenant, as its merchant has set it up. How delivery has come along is not of it.

    Attributes:
        types: Of the events that it gets; `*` alone stands for all.
        disabled_reason: Why it is not enabled.
        secrets: The newest first. The first is always valid, and each of the others until it expires.
        is_listener: Whether it is that of a running `owed listen`, which delivers to itself.
        starts_at: It gets what is recorded after this.
        resumed_at: When it was enabled last.
        version: Counts the changes; the ETag.
    """

    kind: ClassVar[str] = "webhook_endpoint"
    names: ClassVar[tuple[str, ...]] = ()

    tenant_id: int
    id: str
    url: str
    types: tuple[str, ...] = DEFAULT_TYPES
    description: str | None = None
    enabled: bool = True
    disabled_reason: DisabledReason | None = None
    secrets: tuple[Secret, ...]
    is_listener: bool = False
    starts_at: datetime
    resumed_at: datetime
    deleted_at: datetime | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def path(self) -> str:
        """Give where the API has the endpoint."""
        return f"/billing/webhook_endpoints/{self.id}"

    @property
    def secret(self) -> Secret:
        """Give the newest secret."""
        return self.secrets[0]

    def secrets_at(self, moment: datetime) -> tuple[Secret, ...]:
        """Give the secrets that sign at a moment, the newest first."""
        return tuple(secret for secret in self.secrets if secret.is_valid_at(moment))

    def members(self) -> dict[str, Any]:
        """Give the members of the endpoint, in the order of the contract; None for what is not set."""
        return {
            "id": self.id,
            "url": self.url,
            "events": self.types,
            "description": self.description,
            "enabled": self.enabled,
            "disabled_reason": self.disabled_reason,
            "listener": self.is_listener or None,
            "secret_id": self.secret.id,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in self.members().items() if value is not None}


def secret_of(random: bytes) -> str:
    """Write random bytes as a secret."""
    return f"whsec_{base64.b64encode(random).decode()}"
