"""Webhook endpoints as the tests make them."""

from typing import Any, Final

from tests.contract.client import Answer, Client, Json

ENDPOINTS: Final = "/billing/webhook_endpoints"
NOBODY: Final = "http://127.0.0.1:9/hook"
"""A URL that test mode may send to, and where nobody listens."""


def create_endpoint(client: Client, **members: Any) -> Answer:
    """POST an endpoint with `members`, whatever comes of it; where nobody listens unless they say where."""
    return client.post(ENDPOINTS, {"url": NOBODY} | members)


def an_endpoint(client: Client, **members: Any) -> Json:
    """Create an endpoint, which must succeed, and return it as it is shown from then on."""
    answer = create_endpoint(client, **members)
    assert answer.status == 201, answer.body
    made: Json = answer.json()
    del made["secret"]
    return made


def place(endpoint: Json) -> str:
    """Return the path of an endpoint."""
    return f"{ENDPOINTS}/{endpoint['id']}"


def status(client: Client, endpoint: Json) -> Json:
    """Return how delivery to an endpoint comes along."""
    answer = client.get(f"{place(endpoint)}/status")
    assert (answer.status, answer.headers.get("ETag")) == (200, None), answer.body
    found: Json = answer.json()
    return found


def delete_all(client: Client) -> None:
    """Delete every endpoint of a merchant in one mode: there may be a hundred."""
    for endpoint in client.get(f"{ENDPOINTS}?limit=100").json()["data"]:
        assert client.send("DELETE", place(endpoint)).status == 204
