"""What is asked of a contender, and what came of it."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from bench import machine

SCRIPTS = Path(__file__).with_name("scenarios")


class Scenario(StrEnum):
    """What is measured, in the order in which it is: of each kind those that write come late, the many bills last."""

    RETRIEVE = "Retrieve by id"
    RETRIEVE_BY_REFERENCE = "Retrieve by reference"
    PAGE = "List page of 20"
    CREATE = "Create"
    UPDATE = "Update of one hot customer"
    RETRIEVE_BILL = "Retrieve a bill by id"
    CREATE_BILL = "Create a bill on an account"
    COMPOSITE = "Create a customer, an account and a bill in one"
    CHECK = "Check of a payment"
    PAY_MANY = "Payment of one of many balances"
    PAY_HOT = "Payment of one hot account"
    CHARGE_HOT = "Charge of one hot prepaid account with a floor"
    PAY_BILL = "Payment of a bill with everything on"
    PAY_HUNDRED = "One payment of a hundred bills"
    REFUND = "Refund of a part of a payment"
    BILLS_OF_CUSTOMER = "List page of 20 bills of one customer"

    @property
    def writes(self) -> bool:
        return self in WRITES


class Group(StrEnum):
    """Scenarios that are measured and reported together."""

    CUSTOMERS = "customers"
    BILLS = "bills"
    PAYMENTS = "payments"
    WEBHOOKS = "webhooks"

    @property
    def scenarios(self) -> frozenset[Scenario]:
        return SCENARIOS_OF[self]


OF_BILLS = frozenset({Scenario.RETRIEVE_BILL, Scenario.CREATE_BILL, Scenario.COMPOSITE, Scenario.BILLS_OF_CUSTOMER})
OF_PAYMENTS = frozenset({Scenario.CHECK, Scenario.PAY_MANY, Scenario.PAY_HOT, Scenario.CHARGE_HOT, Scenario.PAY_BILL,
                         Scenario.PAY_HUNDRED, Scenario.REFUND})  # fmt: skip
OF_CUSTOMERS = frozenset(Scenario) - OF_BILLS - OF_PAYMENTS
SCENARIOS_OF: dict[Group, frozenset[Scenario]] = {
    Group.CUSTOMERS: OF_CUSTOMERS,
    Group.BILLS: OF_BILLS,
    Group.PAYMENTS: OF_PAYMENTS,
    Group.WEBHOOKS: frozenset(),  # bench/webhooks.py
}
WRITES = frozenset({Scenario.CREATE, Scenario.UPDATE, Scenario.CREATE_BILL, Scenario.COMPOSITE}) | (
    OF_PAYMENTS - {Scenario.CHECK}
)


class Script(NamedTuple):
    """How wrk asks: a script in `scenarios/`, the file that it picks names or requests from, what is before a name."""

    name: str
    names: str = ""
    path: str = ""


SCRIPT_OF = {
    Scenario.RETRIEVE: Script("retrieve", "ids", "/billing/customers/"),
    Scenario.RETRIEVE_BY_REFERENCE: Script("retrieve", "references", "/billing/customers/"),
    Scenario.PAGE: Script("page"),
    Scenario.CREATE: Script("create"),
    Scenario.UPDATE: Script("update", "ids"),
    Scenario.RETRIEVE_BILL: Script("retrieve", "bills", "/billing/bills/"),
    Scenario.CREATE_BILL: Script("create_bill", "accounts"),
    Scenario.COMPOSITE: Script("composite"),
    Scenario.CHECK: Script("check", "checks"),
    Scenario.PAY_MANY: Script("pay", "payments_many"),
    Scenario.PAY_HOT: Script("pay", "payments_hot"),
    Scenario.CHARGE_HOT: Script("pay", "charges_hot"),
    Scenario.PAY_BILL: Script("pay", "payments_bill"),
    Scenario.PAY_HUNDRED: Script("pay", "payments_hundred"),
    Scenario.REFUND: Script("pay", "refunds"),
    Scenario.BILLS_OF_CUSTOMER: Script("retrieve", "owners", "/billing/bills?limit=20&customer="),
}


@dataclass(frozen=True)
class Load:
    """One run: a scenario, on so many connections, for so many seconds."""

    scenario: Scenario
    connections: int
    seconds: float
    run: int
    """No other run of the same contender has this number: references, keys and balances are made of it."""
    rate: int = 0
    """Requests per second; 0 means as fast as answers come."""


@dataclass(frozen=True)
class Sample:
    """What one run measured. Times are milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int = 0
    broken: int = 0
    busy: float = field(default=0, compare=False)
    """How much of one core the server used."""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def over_http(load: Load, url: str, key: str, names: Path, cores: frozenset[int]) -> Sample:
    """Drive a service with wrk: one thread, on the load generator's core.

    Args:
        names: The directory of the files that scripts pick names from.
    """
    script = SCRIPT_OF[load.scenario]
    told = {
        "BENCH_KEY": key,
        "BENCH_RUN": f"run_{load.run}",
        "BENCH_FIRST_BALANCE": str(load.run * 1_000_000),
        "BENCH_RATE": str(load.rate),
        "BENCH_NAMES": str(names / script.names),
        "BENCH_PATH": script.path,
    }
    return driven(script.name, load.connections, load.seconds, url, cores, told)


def driven(
    script: str, connections: int, seconds: float, url: str, cores: frozenset[int], told: Mapping[str, str]
) -> Sample:
    """Run wrk with one of the scripts in `scenarios/`, which reads what it is told from its environment."""
    command = [machine.wrk(), "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s"]
    with machine.pinned(cores):
        answer = subprocess.run(
            [*command, "-s", SCRIPTS / f"{script}.lua", url],
            env={**os.environ, "BENCH_SCRIPTS": str(SCRIPTS), **told},
            check=True,
            capture_output=True,
            text=True,
        )
    return Sample(**json.loads(answer.stdout.splitlines()[-1]))
