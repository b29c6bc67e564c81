"""Several delivery workers on one database: they share the work, and never send the same at the same time."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from heapq import nlargest
from typing import Final, NamedTuple

import psutil
import pytest
from aiohttp import web

from owed.webhooks.window import LARGEST, START
from tests.contract.client import Client
from tests.contract.service import Database, Service, data_directory, dsn_of
from tests.failure.receivers import listening
from tests.failure.stand import wait_until
from tests.failure.strikes import suspended

ENDPOINTS: Final = "/billing/webhook_endpoints"
CUSTOMERS: Final = 300
PAYMENTS: Final = 6
"""Each to a third of the customers, so that every one has three events."""
EVENTS: Final = CUSTOMERS + 100 * PAYMENTS

LULL: Final = 0.25
"""Seconds without a new request after which a receiver answers all that it has."""

DRAINED_WITHIN: Final = 60.0
FAIR: Final = 0.25
"""The least share of the work that each of two workers has."""

EVENTS_OF: Final = "SELECT event.id FROM event JOIN tenant ON tenant.id = tenant_id WHERE merchant_id = $1"
BALANCE: Final = {"currency": "ZAR", "balance": 1000}
PATIENT: Final = {"OWED_WEBHOOK_TIMEOUT": "60"}
IMPATIENT: Final = {"OWED_WEBHOOK_TIMEOUT": "2", "OWED_WEBHOOK_RETRIES": "2"}
"""What makes claims short, and leaves time after the first failure."""


class Crowd:
    """A receiver that keeps its callers waiting until nobody more comes, and then answers all at once.

    So what it does in a time does not depend on how busy this machine is, but on how many ask at once.

    Attributes:
        is_open: Whether it answers at all yet.
        rounds: How many requests were there at once, each time that it answered.
        ports: How many requests came from each port of a worker.
        taken: How often it has taken each event.
        twice: The events that were asked of it while it had not answered the last request for them.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.rounds: list[int] = []
        self.ports: Counter[int] = Counter()
        self.taken: Counter[str] = Counter()
        self.twice: list[str] = []
        self._here: set[str] = set()
        self._go = asyncio.Event()
        self._lull: asyncio.TimerHandle | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Wait with all who are here, and take the event."""
        event, go = request.headers["webhook-id"], self._go
        self.ports[request.transport.get_extra_info("peername")[1] if request.transport else 0] += 1
        if event in self._here:
            self.twice.append(event)
        self._here.add(event)
        self._answer_in(0 if len(self._here) == 2 * LARGEST else LULL)
        await go.wait()
        self.taken[event] += 1
        return web.Response(status=204)

    def _answer_in(self, seconds: float) -> None:
        if self._lull is not None:
            self._lull.cancel()
        self._lull = asyncio.get_running_loop().call_later(seconds, self._answer_all)

    def _answer_all(self) -> None:
        if not self.is_open:
            self._answer_in(LULL)
            return
        self.rounds.append(len(self._here))
        self._here = set()
        self._go.set()
        self._go = asyncio.Event()


class Held:
    """A receiver that answers nobody until it is told to, and then refuses the first event once.

    Attributes:
        asked: The events of the requests that came.
        answers: Is there when it answers.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: Future[None] = Future()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take an event, in time."""
        self.asked.append(event := request.headers["webhook-id"])
        is_refused = self.answers.done() and self.asked.count(self.asked[0]) == 2 and event == self.asked[0]
        await asyncio.shield(asyncio.wrap_future(self.answers))
        return web.Response(status=500 if is_refused else 204)


class Drain(NamedTuple):
    """How a backlog went, and which share of it each worker had."""

    receiver: Crowd
    events: set[str]
    shares: list[float]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that leaves the deliveries to workers beside it."""
    with data_directory() as place:
        running = Service.start(place, OWED_DELIVERIES="false")
        yield running
        running.stop()


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[Database]:
    connected = Database(dsn_of(service))
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def drains(service: Service, database: Database) -> dict[int, Drain]:
    """The same backlog, delivered by one worker, and by two."""
    merchant = service.merchant("Acme Water")
    client = service.client(merchant.keys["sk_test"])
    crowds = {1: Crowd(), 2: Crowd()}
    with ExitStack() as listens:
        urls = {count: listens.enter_context(listening(crowd.answer)) for count, crowd in crowds.items()}
        paths = {count: registered(client, url, enabled=False) for count, url in urls.items()}
        make_events(client)
        events = {row["id"] for row in database.rows(EVENTS_OF, merchant.id)}
        return {count: drained(service, client, paths[count], crowd, count, events) for count, crowd in crowds.items()}


def drained(service: Service, client: Client, path: str, crowd: Crowd, count: int, events: set[str]) -> Drain:
    """Have so many workers deliver the backlog of an endpoint, beginning all together."""
    owners: dict[int, int] = {}
    assert client.patch(path, {"enabled": True, "backlog": "resume"}).status == 200
    with ExitStack() as running:
        workers = [running.enter_context(worker(service, **PATIENT)) for _ in range(count)]

        def look() -> None:
            if crowd.ports.keys() - owners.keys():
                owners.update((port, each.pid) for each in workers for port in ports_of(each))

        def is_over() -> bool:
            look()
            crowd.is_open = crowd.is_open or set(owners.values()) == {each.pid for each in workers}
            return len(crowd.taken) == EVENTS

        wait_until(is_over, f"{count} workers have delivered everything", DRAINED_WITHIN)
        wait_until(lambda: pending(client, path) == 0, "all of it is recorded")
        look()
    sent = Counter[int | None]()
    for port, requests in crowd.ports.items():
        sent[owners.get(port)] += requests
    return Drain(crowd, events, [sent[each.pid] / sent.total() for each in workers])


def test_each_event_is_sent_once_however_many_workers_there_are(drains: dict[int, Drain]) -> None:
    for drain in drains.values():
        assert drain.receiver.taken == Counter(drain.events)
        assert drain.receiver.twice == []


def test_one_worker_asks_a_receiver_for_no_more_at_once_than_it_may(drains: dict[int, Drain]) -> None:
    assert max(drains[1].receiver.rounds) == LARGEST


def test_a_second_worker_adds_throughput_where_the_receiver_is_the_limit(drains: dict[int, Drain]) -> None:
    one, two = (sum(nlargest(5, drain.receiver.rounds)) for drain in drains.values())

    assert two >= 1.4 * one


def test_two_workers_do_a_fair_share_each(drains: dict[int, Drain]) -> None:
    assert min(drains[2].shares) > FAIR


def test_a_worker_that_has_lost_its_claims_records_nothing_and_sends_nothing_more(service: Service) -> None:
    """It is stopped while it waits for answers and has claimed more, and goes on when another has done all but one."""
    client = service.client(service.merchant("Other Gas").keys["sk_test"])
    receiver = Held()
    with ExitStack() as running:
        path = registered(client, running.enter_context(listening(receiver.answer)))
        make_customers(client, 2 * START)
        stopped = running.enter_context(worker(service, **IMPATIENT))
        wait_until(lambda: len(receiver.asked) == START, "the first requests come")
        with suspended(psutil.Process(stopped.pid)):
            receiver.answers.set_result(None)
            running.enter_context(worker(service, **IMPATIENT))
            wait_until(lambda: pending(client, path) == 1, "the other worker has done all but one")
        wait_until(lambda: pending(client, path) == 0, "all is delivered")

    held, taken = receiver.asked[:START], receiver.asked[START:]
    attempts = {event: attempts_of(client, event) for event in taken}
    assert Counter(taken) == Counter([*events_of(client), held[0]])
    assert attempts == {event: [(2, True), (1, False)] if event == held[0] else [(1, True)] for event in taken}


def registered(client: Client, url: str, *, enabled: bool = True) -> str:
    """Make an endpoint that gets everything, and give its path."""
    made = client.post(ENDPOINTS, {"url": url, "events": ["*"], "enabled": enabled})
    assert made.status == 201, made.body
    return made.header("Location")


def make_events(client: Client) -> None:
    """Make customers, and pay each of them twice."""
    customers = make_customers(client, CUSTOMERS)
    thirds = [customers[start : start + 100] for start in range(0, CUSTOMERS, 100)]
    for number in range(PAYMENTS):
        applications = [{"customer": name, "amount": 1} for name in thirds[number % len(thirds)]]
        payment = {"amount": 100, "currency": "ZAR", "applications": applications}
        assert client.post("/billing/payments", payment, Idempotency_Key=f"payment-{number}").status == 201


def make_customers(client: Client, count: int) -> list[str]:
    """Make some customers, and give their references."""
    names = [f"customer-{number}" for number in range(count)]

    def make(name: str) -> int:
        return client.post("/billing/customers", {**BALANCE, "external_reference": name}).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(make, names)) == {201}
    return names


def events_of(client: Client) -> list[str]:
    return [each["id"] for each in client.get("/billing/events?limit=100").json()["data"]]


def attempts_of(client: Client, event: str) -> list[tuple[int, bool]]:
    """List the attempts on record for an event, the newest first: their numbers, and whether they succeeded."""
    attempts = client.get(f"/billing/events/{event}/deliveries").json()["data"]
    return [(each["number"], each["succeeded"]) for each in attempts]


def pending(client: Client, path: str) -> int:
    """Count what an endpoint has yet to get."""
    count: int = client.get(f"{path}/status").json()["pending"]
    return count


@contextmanager
def worker(service: Service, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Have an `owed worker` run on the data of a service."""
    command = [sys.executable, "-m", "owed", "worker"]
    with service.log.open("ab") as output:
        allowed = {"OWED_WEBHOOK_ALLOW": "127.0.0.0/8"}
        process = subprocess.Popen(command, env=service.environment | allowed | settings, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def ports_of(process: "subprocess.Popen[bytes]") -> list[int]:
    """List the ports from which a process is connected to a receiver."""
    return [each.laddr.port for each in psutil.Process(process.pid).net_connections("tcp")]
