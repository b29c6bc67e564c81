"""A merchant who listens: its receivers, the endpoints that lead to them, and exactly what each of them got."""

import asyncio
import threading
from collections import defaultdict, deque
from contextlib import ExitStack
from datetime import datetime
from operator import attrgetter
from ssl import SSLContext
from typing import Any, Final

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import a_customer, a_payment, moment
from tests.failure.stand import wait_until
from tests.webhooks.receiver import PATIENCE, Caller, Receiver, Request, Script, answer
from tests.webhooks.scenarios.tellings import Told, by_object, event_of, object_of, summed_up, told_by, verifies

ENDPOINTS: Final = "/billing/webhook_endpoints"
EVENTS: Final = "/billing/events"
LAST: Final = {"story": "closed"}
"""The metadata of the payments that close a story."""


class Ear(Receiver):
    """A receiver whose answer depends on what the request is about."""

    def __init__(self, tls: SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._plans: dict[str, deque[Script]] = defaultdict(deque)

    def plan_for(self, thing: Json, *scripts: Script) -> None:
        """Have the next requests about an object answered so, one after the other, and then by default."""
        self._plans[thing["id"]].extend(scripts)

    def rest_for(self, thing: Json, status: int = 429) -> None:
        """Have the next request about an object answered with the wish to be left alone for two seconds."""
        self.plan_for(thing, answer(status, headers={"Retry-After": "2"}))

    def about(self, thing: Json) -> list[Request]:
        """Give the requests about an object, in the order in which they came."""
        return [request for request in self.requests if object_of(told_by(request)) == thing["id"]]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection, and drop it where its end would be negotiated: there may be no time for that."""
        await super()._serve(reader, writer)
        if self._tls:
            writer.transport.abort()

    def _next_script(self, request: Request) -> Script:
        script = super()._next_script(request)
        plan = self._plans[object_of(told_by(request))]
        return plan.popleft() if plan else script


class Hook:
    """An endpoint as its merchant knows it, and the receiver that it leads to.

    Attributes:
        ears: All receivers that it has led to, the present one last.
        secret: What they verify with.
    """

    def __init__(self, client: Client, ear: Ear, endpoint: Json) -> None:
        self.client = client
        self.ears = [ear]
        self.id: str = endpoint["id"]
        self.path = f"{ENDPOINTS}/{self.id}"
        self.secret: str = endpoint["secret"]
        self._heard = 0

    @property
    def ear(self) -> Ear:
        """Give the receiver that it leads to."""
        return self.ears[-1]

    @property
    def requests(self) -> list[Request]:
        """Give what came to its receivers, in that order."""
        return sorted((request for ear in self.ears for request in ear.requests), key=attrgetter("at"))

    @property
    def status(self) -> Json:
        """Ask how delivery comes along."""
        return got(self.client.get(f"{self.path}/status"))

    @property
    def shown(self) -> Json:
        """Retrieve the endpoint."""
        return got(self.client.get(self.path))

    def change(self, **members: Any) -> Json:
        """Change the endpoint, which must succeed."""
        return got(self.client.patch(self.path, members))

    def move(self, ear: Ear) -> None:
        """Let it lead to another receiver."""
        assert self.change(url=ear.url)["url"] == ear.url
        self.ears.append(ear)

    def rotate(self, **members: Any) -> None:
        """Get a new secret, and verify with it from now on."""
        self.secret = got(self.client.post(f"{self.path}/rotate-secret", members))["secret"]

    def replay(self, **members: Any) -> Json:
        """Have the events of a time sent again, or only counted."""
        answer = self.client.post(f"{self.path}/replay", members)
        assert answer.status == (200 if members.get("dry_run") else 202), answer.body
        asked: Json = answer.json()
        assert asked["endpoint_id"] == self.id
        return asked

    def news(self) -> list[Request]:
        """Give what came since this was asked last, but for what closes a story; each must be genuine."""
        requests = self.requests
        fresh, self._heard = requests[self._heard :], len(requests)
        assert all(verifies(self.secret, request) for request in fresh)
        return [request for request in fresh if not closes_a_story(request)]

    def attempts(self, event: str) -> list[Json]:
        """Give the attempts to tell this endpoint of an event, the oldest first."""
        every = got(self.client.get(f"{EVENTS}/{event}/deliveries?limit=100"))["data"]
        return [attempt for attempt in reversed(every) if attempt["endpoint_id"] == self.id]

    def waits_for(self, event: str) -> Json | None:
        """Give what is known of an event that this endpoint has not got yet."""
        every: list[Json] = got(self.client.get(f"{EVENTS}/{event}/deliveries"))["pending"]
        return next((each for each in every if each["endpoint_id"] == self.id), None)


class Shop:
    """A merchant's program, in one mode: it bills, takes payments, and hears of both."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.hooks: list[Hook] = []
        self._till = a_customer(client, currency="ZAR")
        self._open = ExitStack()

    def ear(self, tls: SSLContext | None = None) -> Ear:
        """Open a receiver."""
        return self._open.enter_context(Ear(tls))

    def hook(self, ear: Ear | None = None, **members: Any) -> Hook:
        """Register an endpoint, with a receiver of its own unless one is given."""
        ear = ear or self.ear()
        answer = self.client.post(ENDPOINTS, {"url": ear.url} | members)
        assert answer.status == 201, answer.body
        hook = Hook(self.client, ear, answer.json())
        self.hooks.append(hook)
        return hook

    def close(self) -> None:
        """Delete every endpoint, and then close the receivers."""
        for hook in self.hooks:
            self.client.send("DELETE", hook.path)
        self._open.close()

    def hears(self, hook: Hook, *tellings: Told) -> list[Request]:
        """Expect that an endpoint got exactly these since it was asked last, those of one object in this order.

        An event that is attempted twice counts twice. Nothing more is to come: an event that is raised now has come
        too, before which all others were taken up, and nothing is pending.
        """
        self.drain(hook)
        requests = hook.news()
        came, wanted = by_object(map(told_by, requests)), by_object(tellings)
        assert came == wanted, f"there came {summed_up(came)}, and was to come {summed_up(wanted)}"
        for event in {event_of(request) for request in requests}:
            agrees(hook, event)
        return requests

    def drain(self, hook: Hook) -> None:
        """Wait until an endpoint that takes payments has got all that was raised so far."""
        payment = a_payment(self.client, customer=self._till["id"], metadata=LAST)
        wait_until(lambda: heard_of(hook, payment), "the last event comes")
        wait_until(lambda: hook.status["pending"] == 0, "everything is delivered")

    def feed(self, after: str | None = None) -> tuple[list[Json], str]:
        """Read the feed from a cursor to its end, and give the cursor to go on from."""
        found: list[Json] = []
        while True:
            page = self.client.get(f"{EVENTS}?order=asc&limit=100" + (f"&after={after}" if after else ""))
            events, after = got(page)["data"], page.header("Next-Cursor")
            if not events:
                return found, after
            found += events


def got(answer: Answer) -> Json:
    """Give what was asked for, which must be there."""
    assert answer.status == 200, answer.body
    value: Json = answer.json()
    return value


def held(until: threading.Event, then: Script) -> Script:
    """Answer when something has happened, and not before."""

    async def script(caller: Caller) -> bool:
        await asyncio.to_thread(until.wait, PATIENCE)
        return await then(caller)

    return script


def rests_until(hook: Hook) -> datetime:
    """Wait until a receiver rests, and say until when."""
    wait_until(lambda: "resting_until" in hook.status, "the receiver rests")
    return moment(hook.status["resting_until"])


def closes_a_story(request: Request) -> bool:
    """Tell whether a request is about a payment that was made to come last."""
    return told_by(request).data.get("metadata") == LAST


def heard_of(hook: Hook, payment: Json) -> bool:
    """Tell whether the receiver has heard of a payment."""
    return any(told_by(request).data.get("payment_id") == payment["id"] for request in hook.requests)


def agrees(hook: Hook, event: str) -> None:
    """Expect that we were told of just those attempts that the receiver saw, of which the last succeeded."""
    seen = [request.at for request in hook.requests if event_of(request) == event]
    attempts = hook.attempts(event)
    assert len(attempts) == len(seen)
    assert attempts[-1]["succeeded"]
    assert hook.waits_for(event) is None
