"""Random histories, lived on PostgreSQL and in memory at once: both worlds agree after every step.

On PostgreSQL there are two workers. Each step goes to one of them, or is a race: then both decide at once, and there
must be an order in which the world in memory, taking the same requests one by one, answers and keeps the same.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any, ClassVar, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from owed.core.journal import digest
from owed.database.pool import Pool
from owed.engine.pending import Reply
from tests.core.samples import Stamps
from tests.properties import bodies
from tests.properties.effects import (
    Family,
    faults_of_adjustment,
    faults_of_change,
    faults_of_erasure,
    faults_of_payment,
    faults_of_reallocation,
)
from tests.properties.promises import faults, faults_of_adjustments, faults_of_money
from tests.properties.requests import (
    ADJUST,
    CREATE,
    ERASE,
    PAY,
    REALLOCATE,
    TAKE_BACK,
    UNDO,
    Fresh,
    Nth,
    Request,
    Sent,
)  # fmt: skip
from tests.properties.worlds import InMemory, Link, OnPostgres, Record

SOAK = int(os.environ.get("OWED_SOAK") or 0)
"""How many histories to live; 0 means as many as a test run has time for."""

PROFILE = settings(
    max_examples=SOAK or 50,
    stateful_step_count=50 if SOAK else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

Item = TypeVar("Item")

OUR_FAULT = (b'"internal_error"', b'"unavailable"', b'"idempotency_key_in_use"')

MERCHANTS = 2
WORKERS = 2

tenants = st.sampled_from([0, 0, 0, 1, 2, 3])
workers = st.integers(0, WORKERS - 1)


class TwoWorlds(RuleBasedStateMachine):
    """Two merchants with two modes each; every step is taken in both worlds."""

    runner: ClassVar[asyncio.Runner]
    link: ClassVar[Link]

    def __init__(self) -> None:
        super().__init__()
        self.clock = Stamps()
        self.memory = InMemory(self.clock)
        self.postgres = OnPostgres(self.link, self.clock)
        self.asked: list[Request] = []
        self.told: list[tuple[Sent, Reply]] = []
        self.made: set[tuple[int, str, str]] = set()
        self.before: Record | None = None
        self.numbers = 0

    @initialize()
    def begin(self) -> None:
        """Begin with a bill in every tenant, for it is changes that are worth comparing."""
        self.runner.run(self.postgres.begin(MERCHANTS))
        self.runner.run(self.memory.begin(self.postgres.tenants))
        account = {"external_reference": "a", "customer": {"external_reference": "a", "currency": "ZAR"}}
        body = {"external_reference": "a", "currency": "ZAR", "amount_due": 1_000, "account": account}
        self.ask([Request(CREATE, "bill", body, tenant_id=tenant) for tenant in self.postgres.tenants])
        self.refuse_untold_effects(self.runner.run(self.postgres.record()))
        paid = {"amount": 1, "currency": "ZAR", "bill": "a"}
        self.ask([Request(PAY, "payment", paid, tenant_id=tenant) for tenant in self.postgres.tenants])
        self.refuse_untold_effects(self.runner.run(self.postgres.record()))
        for kind in ("charge", "credit"):
            adjusted = Request(ADJUST, kind, {"amount": 1}, ["customer", "a"])
            self.ask([adjusted._replace(tenant_id=tenant) for tenant in self.postgres.tenants])
            self.refuse_untold_effects(self.runner.run(self.postgres.record()))

    @rule(tenant=tenants, request=bodies.creations("customer") | bodies.creations("account"), worker=workers)
    def create_owner(self, tenant: int, request: Request, worker: int) -> None:
        """Create a customer, or an account of one that may be new too, or be told that a reference is taken."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.creations("bill"), worker=workers)
    def create_bill(self, tenant: int, request: Request, worker: int) -> None:
        """Create a bill, with whatever of its account and customer is new."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.updates("customer") | bodies.updates("account"), worker=workers)
    def update_owner(self, tenant: int, request: Request, worker: int) -> None:
        """Change a customer or an account by its reference or by its id, which may be another tenant's."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.updates("bill"), worker=workers)
    def update_bill(self, tenant: int, request: Request, worker: int) -> None:
        """Change a bill: what is paid of it, or its currency, or what is plain."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.corrections(), worker=workers)
    def correct(self, tenant: int, request: Request, worker: int) -> None:
        """Put right what is paid of a bill, or what is owed on a balance, up or down."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.voidings(), worker=workers)
    def void(self, tenant: int, request: Request, worker: int) -> None:
        """Void a bill for good, or be told that there is money on it."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.erasures(), worker=workers)
    def erase(self, tenant: int, request: Request, worker: int) -> None:
        """Erase a customer and some accounts, once or again."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.payments(), worker=workers)
    def pay(self, tenant: int, request: Request, worker: int) -> None:
        """Pay a bill or a balance, or several, in part, in full or too much."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.returns(), worker=workers)
    def take_back(self, tenant: int, request: Request, worker: int) -> None:
        """Refund or reverse a payment, in part or in full, or be told that it holds no more."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.reallocations(), worker=workers)
    def reallocate(self, tenant: int, request: Request, worker: int) -> None:
        """Apply unallocated money, or take money elsewhere, or be told that it is not there, or does not fit."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.adjustments(), worker=workers)
    def adjust(self, tenant: int, request: Request, worker: int) -> None:
        """Charge or credit a balance, or take something off a bill, or be told that it would be too much."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.undoings(), worker=workers)
    def undo(self, tenant: int, request: Request, worker: int) -> None:
        """Reverse a charge or a credit, or be told that it was reversed already."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(tenant=tenants, request=bodies.updates("settings"), worker=workers)
    def change_settings(self, tenant: int, request: Request, worker: int) -> None:
        """Change what new objects get."""
        self.ask([self.meant(tenant, request)], worker)

    @rule(number=st.integers(0, 100), worker=workers)
    def retry(self, number: int, worker: int) -> None:
        """Send an earlier request again, perhaps to the other worker."""
        if self.asked:
            self.ask([self.asked[number % len(self.asked)]], worker)

    @rule(tenant=tenants, requests=bodies.crowds(most=6), worker=workers)
    def rush(self, tenant: int, requests: list[Request], worker: int) -> None:
        """Send several requests to one worker at the same moment."""
        self.ask([self.meant(tenant, request) for request in requests], worker)

    @rule(tenant=tenants, requests=bodies.crowds(most=4))
    def race(self, tenant: int, requests: list[Request]) -> None:
        """Send several requests to both workers at the same moment."""
        self.ask_both_workers([self.meant(tenant, request) for request in requests])

    @rule(tenant=tenants, requests=bodies.contests())
    def contend(self, tenant: int, requests: list[Request]) -> None:
        """Send requests to both workers at the same moment that are likely to want the same."""
        self.ask_both_workers([self.meant(tenant, request) for request in requests])

    @rule(microseconds=st.integers(-1_000, 1_000) | st.integers(0, 10**10))
    def tick(self, microseconds: int) -> None:
        """Move the clock, back too."""
        self.clock.now += timedelta(microseconds=microseconds)

    @rule()
    def let_a_day_pass(self) -> None:
        """Let both forget their answers."""
        self.runner.run(self.memory.let_a_day_pass())
        self.runner.run(self.postgres.let_a_day_pass())

    def ask(self, requests: Sequence[Request], worker: int = 0) -> None:
        """Send requests in both worlds, and compare their replies byte for byte."""
        sent = self.send(requests)
        in_memory = self.runner.run(self.memory.ask(sent))
        on_postgres = self.runner.run(self.postgres.ask(sent, worker))
        assert in_memory == on_postgres
        self.told = list(zip(sent, on_postgres, strict=True))

    def ask_both_workers(self, requests: Sequence[Request]) -> None:
        """Send requests to both workers at the same moment, and find an order that explains what became of them."""
        sent = self.send(requests)
        replies = self.runner.run(self.postgres.race(sent))
        record = self.runner.run(self.postgres.record())
        self.memory = self.memory_that_agrees(sent, replies, record)
        self.told = list(zip(sent, replies, strict=True))

    def meant(self, tenant: int, request: Request) -> Request:
        """Give a request with the ids that it means, as far as there are any, and the object that it sends back."""
        tenant_id = self.postgres.tenants[tenant]
        name, body = self.named(request.name, tenant_id), self.named(request.body, tenant_id)
        if request.is_whole:
            body = self.memory.shown(request.kind, tenant_id, name) | body
        return request._replace(name=name, body=body, tenant_id=tenant_id)

    def named(self, thought: Any, tenant_id: int) -> Any:
        """Give a value with a name in each place that one was thought of."""
        match thought:
            case Fresh(is_contested=True):
                return f"c{len(self.asked)}"
            case Fresh():
                self.numbers += 1
                return f"r{self.numbers}"
            case Nth():
                return self.nth(thought, tenant_id)
            case dict():
                return {name: self.named(value, tenant_id) for name, value in thought.items()}
            case list():
                return [self.named(value, tenant_id) for value in thought]
        return thought

    def nth(self, thought: Nth, tenant_id: int) -> Any:
        """Give the name that an object goes by."""
        if thought.by == "stranger":
            return nth(self.memory.objects(thought.kind), thought.number).id
        found: Any = nth(self.memory.objects(thought.kind, tenant_id), thought.number)
        if thought.by == "application":
            return found.applications[0].id if found.applications else "ob_none"
        return getattr(found, thought.by)

    def send(self, requests: Sequence[Request]) -> list[Sent]:
        """Make ready to send, with the settings that stand now."""
        self.asked += requests
        first, self.numbers = self.numbers + 1, self.numbers + len(requests)
        return [Sent(each, self.memory.settings(each.tenant_id), first + place) for place, each in enumerate(requests)]

    def memory_that_agrees(self, sent: list[Sent], replies: list[Reply], record: Record) -> InMemory:
        """Find an order of the requests that explains what both workers have made of them together."""
        differences = []
        for order in permutations(range(len(sent))):
            memory = self.memory.again()
            in_turn = self.runner.run(memory.ask_in_turn(sent[place] for place in order))
            if [replies[place] for place in order] == in_turn:
                differences = record.differences(self.runner.run(memory.record()))
                if not differences:
                    return memory
        raise AssertionError(f"no order of {[each.request for each in sent]} explains {replies}: {differences}")

    @invariant()
    def both_keep_the_same(self) -> None:
        in_memory, on_postgres = (self.runner.run(world.record()) for world in (self.memory, self.postgres))
        for table in Record._fields:
            assert getattr(in_memory, table) == getattr(on_postgres, table), table
        assert list(faults(on_postgres.objects, on_postgres.transfers, on_postgres.events)) == []
        assert list(faults_of_money(on_postgres.payments, on_postgres.transfers)) == []
        adjusted = faults_of_adjustments(on_postgres.objects, on_postgres.adjustments, on_postgres.transfers)
        assert list(adjusted) == []
        self.refuse_untold_effects(on_postgres)
        self.refuse_nobodys_words(on_postgres)

    def refuse_untold_effects(self, record: Record) -> None:
        """Assert that what was told to be done is there, whole, and nothing else: nothing changes where nothing was."""
        done = [(sent.request, reply) for sent, reply in self.told if is_done(reply)]
        family = Family(record.events)
        for request, reply in done:
            if request.verb == CREATE:
                self.made |= request.parts()
                assert list(family.faults(request)) == []
            elif request.verb in {PAY, TAKE_BACK}:
                assert list(faults_of_payment(request, json.loads(reply.answer.body))) == []
            elif request.verb == REALLOCATE:
                assert list(faults_of_reallocation(request, json.loads(reply.answer.body))) == []
            elif request.verb in {ADJUST, UNDO}:
                assert list(faults_of_adjustment(request, json.loads(reply.answer.body))) == []
            elif request.verb == ERASE:
                assert list(faults_of_erasure(json.loads(reply.answer.body))) == []
            else:
                assert list(faults_of_change(request, json.loads(reply.answer.body))) == []
        assert family.names == self.made
        if self.before and not done:
            assert record.without_answers() == self.before.without_answers()
        self.told, self.before = [], record

    def refuse_nobodys_words(self, record: Record) -> None:
        """Assert that whoever acted with words is on record for each transfer, and the ledger can prove it."""
        words = {(each.tenant_id, each.id): each for each in record.attributions}
        for transfer in record.transfers:
            if transfer.attribution_id:
                said = words[transfer.tenant_id, transfer.attribution_id]
                assert transfer.attribution_digest == digest(said.actor, said.salt)

    def teardown(self) -> None:
        self.runner.run(self.memory.close())
        self.runner.run(self.postgres.close())


def is_done(reply: Reply) -> bool:
    """Tell whether a request was carried out now; that it was refused must be the request's own fault."""
    assert not any(code in reply.answer.body for code in OUR_FAULT), reply
    return reply.answer.status < 400 and not reply.replayed


def nth(items: Sequence[Item], number: int) -> Item:
    return items[number % len(items)]


@pytest.fixture
def connected_worlds(dsn: str) -> Iterator[type[TwoWorlds]]:
    """Have an event loop, pools and a connection that live through all histories."""
    with asyncio.Runner() as runner:
        pools = tuple(Pool(dsn, 4) for _ in range(WORKERS))
        link = Link(dsn, pools, runner.run(asyncpg.connect(dsn)))
        try:
            yield type("ConnectedWorlds", (TwoWorlds,), {"runner": runner, "link": link})
        finally:
            runner.run(link.reader.close())
            for pool in pools:
                runner.run(pool.close())


def test_postgresql_and_memory_agree_whatever_happens(connected_worlds: type[TwoWorlds]) -> None:
    run_state_machine_as_test(connected_worlds, settings=PROFILE)
