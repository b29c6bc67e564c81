"""What a newcomer gets on the very first start: a merchant to try things with."""

import typer

from owed.api.demo import JOHN_DOE, create_demo
from owed.cli.commanding import actor
from owed.cli.merchants import print_keys
from owed.cli.session import perform

NAME = "Demo"
CUSTOMER = JOHN_DOE["external_reference"]


def welcome(dsn: str, url: str) -> None:
    """Create the demo merchant where there is no merchant yet, and show its keys and what to do with them."""
    merchant = perform(dsn, lambda connection: create_demo(connection, NAME, actor()))
    if merchant is None:
        return
    typer.echo("A demo merchant is ready. Keep its keys, which are never shown again:")
    print_keys(merchant)
    typer.echo("Try:")
    typer.echo(f"  curl -H 'Authorization: Bearer {merchant.keys['sk_test']}' {url}/billing/customers/{CUSTOMER}")
