"""The settings under which a run measured, and that they were the same for all."""

import sys
from collections.abc import Sequence

from bench import machine, sql
from bench.load import OF_BILLS, OF_CUSTOMERS, OF_PAYMENTS
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
    _assert_fair(contenders)
    dsn = contenders[0].dsn
    return {
        "PostgreSQL": f"{sql.row(dsn, 'SHOW server_version')[0]}, one for each contender; "
        f"{sql.row(dsn, VALUES, SHOWN)[0]}",
        "Cores": str(bench.cores),
        "Owed": f"{machine.owed_version()}; {machine.versions(sys.executable)}",
        "Peers": f"{machine.versions(bench.peer_python)}; uvicorn with uvloop and httptools, no access log",
        "Load": f"{machine.wrk_version()}, one thread; {plan.rounds} rounds in turns of {plan.seconds:g} s; "
        f"{_population(plan)}; one worker everywhere",
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


def _assert_fair(contenders: Sequence[Contender]) -> None:
    seen = {contender.name: sql.row(contender.dsn, COMPARED)[0] for contender in contenders}
    if len(set(seen.values())) > 1:
        raise SystemExit("The PostgreSQL servers do not have the same settings:\n" + "\n".join(map(str, seen.items())))
    for contender in contenders:
        if sql.row(contender.dsn, OFF, DURABLE)[0]:
            raise SystemExit(f"{contender.name}: commits are not durable")
