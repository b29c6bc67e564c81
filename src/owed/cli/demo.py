"""What a newcomer gets on the very first start: a merchant to try things with."""

import typer

from owed.cli.merchants import print_keys
from owed.cli.session import perform
from owed.store.merchants import create_first_merchant

NAME = "Demo"
CUSTOMER = "UCR1234567890"


def welcome(dsn: str, url: str) -> None:
    """Create the demo merchant where there is no merchant yet, and show its keys and what to do with them."""
    merchant = perform(dsn, lambda connection: create_first_merchant(connection, NAME))
    if merchant is None:
        return
    typer.echo("A demo merchant is ready. Keep its keys, which are never shown again:")
    print_keys(merchant)
    typer.echo("Try:")
    typer.echo(f"  curl -H 'Authorization: Bearer {merchant.keys['sk_test']}' {url}/billing/customers/{CUSTOMER}")
