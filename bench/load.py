"""What is asked of a contender, and what came of it."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench import machine

SCENARIOS = Path(__file__).with_name("scenarios")


class Scenario(StrEnum):
    """The five things that are measured, in the order in which they are: those that write come last."""

    RETRIEVE = "Retrieve by id"
    RETRIEVE_BY_REFERENCE = "Retrieve by reference"
    PAGE = "List page of 20"
    CREATE = "Create"
    UPDATE = "Update of one hot customer"

    @property
    def writes(self) -> bool:
        return self in (Scenario.CREATE, Scenario.UPDATE)

    @property
    def script(self) -> Path:
        return SCENARIOS / f"{LUA[self]}.lua"


LUA = {
    Scenario.RETRIEVE: "retrieve",
    Scenario.RETRIEVE_BY_REFERENCE: "retrieve",
    Scenario.PAGE: "page",
    Scenario.CREATE: "create",
    Scenario.UPDATE: "update",
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


def over_http(load: Load, url: str, environment: dict[str, str], cores: frozenset[int]) -> Sample:
    """Drive a service with wrk: one thread, on the load generator's core."""
    command = [machine.wrk(), "-t1", f"-c{load.connections}", f"-d{load.seconds:g}s", "--timeout", "20s"]
    told = {
        "BENCH_SCENARIOS": str(SCENARIOS),
        "BENCH_RUN": f"run_{load.run}",
        "BENCH_FIRST_BALANCE": str(load.run * 1_000_000),
        "BENCH_RATE": str(load.rate),
        **environment,
    }
    with machine.pinned(cores):
        answer = subprocess.run(
            [*command, "-s", load.scenario.script, url],
            env={**os.environ, **told},
            check=True,
            capture_output=True,
            text=True,
        )
    return Sample(**json.loads(answer.stdout.splitlines()[-1]))
