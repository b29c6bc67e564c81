"""A plain HTTP client, for what is not itself measured."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What a service answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """One connection to a service, for one thread."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, members: object = None, **headers: str) -> Answer:
        """Send a request; in the names of headers an underscore stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if members is None else json.dumps(members)
        self._connection.request(method, path, body, {**self._headers, **named})
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())
