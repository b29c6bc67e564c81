"""Secrets to sign with, such as endpoints have."""

from secrets import token_bytes

from owed.model.webhook_endpoint import secret_of


def a_secret() -> str:
    return secret_of(token_bytes(32))
