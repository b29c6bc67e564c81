"""Webhook endpoints in PostgreSQL: what of their rows is the merchant's. The other columns are the workers'."""

from operator import attrgetter
from typing import Any

import asyncpg
import msgspec

from owed.model.identifiers import ENDPOINT
from owed.model.webhook_endpoint import DisabledReason, Secret, WebhookEndpoint
from owed.store.tables import IdTable

FIXED = {
    "tenant_id": "int",
    "id": "text",
    "is_listener": "bool",
    "created_at": "timestamptz",
}

CHANGING = {
    "url": "text",
    "description": "text",
    "enabled": "bool",
    "disabled_reason": "text",
    "starts_at": "timestamptz",
    "resumed_at": "timestamptz",
    "deleted_at": "timestamptz",
    "version": "bigint",
    "updated_at": "timestamptz",
}
"""The columns that may change and hold just what the members of their names are."""

SECRETS = msgspec.json.Decoder(tuple[Secret, ...])

plain_fixed, plain_changing = attrgetter(*FIXED), attrgetter(*CHANGING)


def read(row: asyncpg.Record) -> WebhookEndpoint:
    """Make the endpoint that a row holds."""
    members = {name: row[name] for name in (*FIXED, *CHANGING)}
    reason = row["disabled_reason"]
    return WebhookEndpoint(
        **{**members, "disabled_reason": reason and DisabledReason(reason)},
        types=tuple(row["types"].split(" ")),
        secrets=SECRETS.decode(row["secrets"]),
    )


def values(endpoint: WebhookEndpoint) -> tuple[Any, ...]:
    """Give the values of an endpoint: what never changes, and what may."""
    secrets = msgspec.json.encode(endpoint.secrets).decode()
    return (*plain_fixed(endpoint), *plain_changing(endpoint), " ".join(endpoint.types), secrets)


WEBHOOK_ENDPOINTS = IdTable(
    WebhookEndpoint.kind,
    prefix=ENDPOINT,
    fixed=FIXED,
    changing={**CHANGING, "types": "text", "secrets": "json"},
    read=read,
    values=values,
)
