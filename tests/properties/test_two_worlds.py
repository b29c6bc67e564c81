"""Random histories, lived on PostgreSQL and in memory at once: both worlds agree after every step."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from owed.core.command import Command
from owed.core.preconditions import IfMatch
from owed.database.pool import Pool
from owed.model.attribution import Actor
from owed.model.money import MAX_TOTAL
from owed.model.transfer import Transfer
from tests.core.samples import JANE, KEY, RULES, create, refuse_broken, update
from tests.properties.worlds import Asked, InMemory, Link, OnPostgres, Record, World, ask

SOAK = int(os.environ.get("OWED_SOAK") or 0)
"""How many histories to live; 0 means as many as a test run has time for."""

PROFILE = settings(
    max_examples=SOAK or 50,
    stateful_step_count=50 if SOAK else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

MODES = 2
MERCHANTS = 2

next_tenants = count(1, MERCHANTS * MODES)

tenants = st.integers(0, MERCHANTS * MODES - 1)
references = st.sampled_from(["a", "a", "a", "b-1"])
which_names = references | st.integers(0, 20)
keys = st.sampled_from([None, None, "k0", "k1", "k2", "k3"])
actors = st.sampled_from([KEY, JANE, Actor("key_2", "Jürgen")])
senders = st.tuples(actors, keys)
names = st.sampled_from(["John Doe", "Łukasz 李", 'O\'Neil \\ "x"', "😀"])
metadata_keys = st.sampled_from(["plan", "über", "a=b"])
balances = st.integers(-3, 3) | st.integers(-MAX_TOTAL, MAX_TOTAL)
currencies = st.sampled_from(["ZAR", "ZAR", "ZAR", "USD", "XXQ"])
given_members = {
    "email": st.sampled_from(["j@example.com", "x@example.com"]),
    "phone": st.just("+27821234567"),
    "currency": currencies,
    "balance": balances,
}
created_members = st.fixed_dictionaries(
    {},
    optional={
        "name": names,
        "payment_rules": st.just(RULES),
        "metadata": st.dictionaries(metadata_keys, st.sampled_from(["", "x"])),
        **given_members,
    },
)
updated_members = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | names,
        "payment_rules": st.none() | st.just(RULES),
        "metadata": st.dictionaries(metadata_keys, st.none() | st.sampled_from(["", "x"])),
        **given_members,
    },
)
conditions = st.none() | st.just(frozenset("*")) | st.frozensets(st.sampled_from(["1", "2", "3"]), min_size=1)


class TwoWorlds(RuleBasedStateMachine):
    """Two merchants with two modes each; every step is taken in both worlds."""

    runner: ClassVar[asyncio.Runner]
    link: ClassVar[Link]

    def __init__(self) -> None:
        super().__init__()
        first = next(next_tenants)
        self.tenants = range(first, first + MERCHANTS * MODES)
        self.memory = InMemory(first)
        self.worlds: tuple[World, World] = (self.memory, OnPostgres(self.link, self.tenants, first))
        self.asked: list[Asked] = []

    @initialize()
    def begin(self) -> None:
        """Begin with a customer in every tenant, for it is changes that are worth comparing."""
        self.ask(*(Asked(create("a", tenant=tenant, currency="ZAR", name="John Doe"), None) for tenant in self.tenants))

    @rule(tenant=tenants, reference=references, members=created_members, by=senders)
    def create(self, tenant: int, reference: str, members: dict[str, Any], by: tuple[Actor, str | None]) -> None:
        """Create a customer, or be told that the reference is taken."""
        actor, key = by
        self.ask(Asked(create(reference, tenant=self.tenants[tenant], actor=actor, **members), key))

    @rule(
        tenant=tenants, which=references | st.integers(0, 20), what=st.tuples(updated_members, conditions), by=senders
    )
    def update(
        self, tenant: int, which: str | int, what: tuple[dict[str, Any], IfMatch], by: tuple[Actor, str | None]
    ) -> None:
        """Change a customer by its reference or by its id, which may be another tenant's."""
        (members, if_match), (actor, key) = what, by
        self.ask(Asked(self.change(tenant, which, members, if_match, actor), key))

    @rule(number=st.integers(0, 100))
    def retry(self, number: int) -> None:
        """Send an earlier request again."""
        if self.asked:
            self.ask(self.asked[number % len(self.asked)])

    @rule(
        tenant=tenants,
        changes=st.lists(st.tuples(which_names, updated_members, keys), min_size=2, max_size=6),
        reference=references,
    )
    def rush(self, tenant: int, changes: list[tuple[str | int, dict[str, Any], str | None]], reference: str) -> None:
        """Send several requests at the same moment: a creation among changes of what there is."""
        rushed = [Asked(self.change(tenant, which, members, None, KEY), key) for which, members, key in changes]
        self.ask(*rushed[:1], Asked(create(reference, tenant=self.tenants[tenant]), None), *rushed[1:])

    @rule(microseconds=st.integers(-1_000, 1_000) | st.integers(0, 10**10))
    def tick(self, microseconds: int) -> None:
        """Move the clock, back too."""
        for world in self.worlds:
            world.stamps.now += timedelta(microseconds=microseconds)

    @rule()
    def let_a_day_pass(self) -> None:
        """Let both forget their answers."""
        for world in self.worlds:
            self.runner.run(world.let_a_day_pass())

    def change(
        self, tenant: int, which: str | int, members: dict[str, Any], if_match: IfMatch, actor: Actor
    ) -> Command:
        ids = [customer_id for _, customer_id in self.memory.store.tables.customers] or ["bcus_nobody"]
        name = which if isinstance(which, str) else ids[which % len(ids)]
        return update(name, tenant=self.tenants[tenant], if_match=if_match, actor=actor, **members)

    def ask(self, *requests: Asked) -> None:
        """Send requests in both worlds, and compare their replies byte for byte."""
        self.asked += requests
        in_memory, on_postgres = (self.runner.run(ask(world, requests)) for world in self.worlds)
        assert in_memory == on_postgres

    @invariant()
    def both_keep_the_same(self) -> None:
        in_memory, on_postgres = (self.runner.run(world.record()) for world in self.worlds)
        for table in Record._fields:
            assert getattr(in_memory, table) == getattr(on_postgres, table), table
        self.refuse_unbalanced(on_postgres)

    def refuse_unbalanced(self, record: Record) -> None:
        """Assert that each balance is the sum of its transfers, and each chain and each sequence whole."""
        transfers: dict[tuple[int, str], list[Transfer]] = defaultdict(list)
        for transfer in record.transfers:
            transfers[transfer.tenant_id, transfer.obligation_id].append(transfer)
        for customer in record.customers:
            of_it = transfers.pop((customer.tenant_id, customer.id), [])
            refuse_broken(of_it)
            assert customer.obligation.total == sum(transfer.amount for transfer in of_it)
            assert customer.obligation.version == len(of_it)
            sequences = [event.sequence for event in record.events if event.object_id == customer.id]
            assert sequences == list(range(1, customer.event_sequence + 1))
        assert not transfers

    def teardown(self) -> None:
        for world in self.worlds:
            self.runner.run(world.engine.close())


@pytest.fixture
def connected_worlds(dsn: str) -> Iterator[type[TwoWorlds]]:
    """Have an event loop, a pool and a connection that live through all histories."""
    with asyncio.Runner() as runner:
        link = Link(dsn, Pool(dsn, 8), runner.run(asyncpg.connect(dsn)))
        try:
            yield type("ConnectedWorlds", (TwoWorlds,), {"runner": runner, "link": link})
        finally:
            runner.run(link.reader.close())
            runner.run(link.pool.close())


def test_postgresql_and_memory_agree_whatever_happens(connected_worlds: type[TwoWorlds]) -> None:
    run_state_machine_as_test(connected_worlds, settings=PROFILE)
