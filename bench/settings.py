"""The settings under which a run measured, and that they were the same for all."""

import sys
from collections.abc import Mapping, Sequence

from bench import machine, sql
from bench.load import OF_BILLS, OF_CUSTOMERS, OF_PAYMENTS
from bench.machine import DELIVERING
from bench.rounds import Contender, Plan
from bench.services import Bench

DURABLE = ["fsync", "synchronous_commit", "full_page_writes"]
SHOWN = [*DURABLE, "shared_buffers", "max_wal_size", "wal_compression", "jit"]
COMPARED = """
    SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
     WHERE source NOT IN ('default', 'client', 'session')
       AND name NOT IN ('unix_socket_directories', 'data_directory', 'config_file', 'hba_file', 'ident_file')
"""
VALUES = "SELECT string_agg(name || ' ' || current_setting(name), ', ') FROM pg_settings WHERE name = ANY($1)"
OFF = "SELECT count(*) FROM pg_settings WHERE name = ANY($1) AND setting <> 'on'"


def of(bench: Bench, contenders: Sequence[Contender], plan: Plan) -> dict[str, str]:
    """Tell the settings of a run in the words of the report; refuse where they would not be fair."""
    return {
        "PostgreSQL": _postgresql({each.name: each.dsn for each in contenders}),
        "Cores": str(bench.cores),
        "Owed": f"{machine.owed_version()}; {machine.versions(sys.executable)}",
        "Peers": f"{machine.versions(bench.peer_python)}; uvicorn with uvloop and httptools, no access log",
        "Load": f"{machine.wrk_version()}, one thread; {plan.rounds} rounds in turns of {plan.seconds:g} s; "
        f"{_population(plan)}; one worker everywhere",
    }


def of_deliveries(bench: Bench, dsns: Mapping[str, str]) -> dict[str, str]:
    """Tell the settings of a run of webhooks; refuse where they would not be fair."""
    return {
        "PostgreSQL": _postgresql(dsns),
        "Cores": str(bench.cores),
        "Owed": f"{machine.owed_version()}; {machine.versions(sys.executable, DELIVERING)}",
        "Peers": machine.versions(bench.peer_python, DELIVERING),
    }


def _population(plan: Plan) -> str:
    parts = []
    if plan.scenarios & OF_CUSTOMERS:
        parts.append(f"{plan.customers:,} customers at the start")
    if plan.scenarios & OF_BILLS:
        parts.append(f"{plan.owners:,} customers with an account and a bill, {plan.bills:,} bills more before the list")
    if plan.scenarios & OF_PAYMENTS:
        parts.append(f"{plan.payers:,} customers with an account, a bill and a payment, who owe much")
    return "; ".join(parts)


def _postgresql(dsns: Mapping[str, str]) -> str:
    """Tell how the servers are set, which is the same for all."""
    _assert_fair(dsns)
    dsn = next(iter(dsns.values()))
    return f"{sql.row(dsn, 'SHOW server_version')[0]}, one for each contender; {sql.row(dsn, VALUES, SHOWN)[0]}"


def _assert_fair(dsns: Mapping[str, str]) -> None:
    seen = {name: sql.row(dsn, COMPARED)[0] for name, dsn in dsns.items()}
    if len(set(seen.values())) > 1:
        raise SystemExit("The PostgreSQL servers do not have the same settings:\n" + "\n".join(map(str, seen.items())))
    for name, dsn in dsns.items():
        if sql.row(dsn, OFF, DURABLE)[0]:
            raise SystemExit(f"{name}: commits are not durable")
