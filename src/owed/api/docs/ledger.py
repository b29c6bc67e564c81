"""The operations of the ledger, as the documentation tells of them."""

from owed.api.books import Json
from owed.api.docs import story
from owed.api.docs.operation import ALWAYS, PAGING, READER, Operation, Operations, Success
from owed.core.outcomes import Code

BOUNDS = ("EntriesByCause", "EntriesByActor", "RecordedAfter", "RecordedBefore", "OccurredAfter", "OccurredBefore")

ENTRIES = (
    "What happened to what is owed, newest first: every transfer of the ledger, with its cause and the total after it. "
    "All filters hold at once; times are exclusive bounds."
)

NAMED = {"customer": "Customer", "account": "PaidAccount", "bill": "Bill"}
"""The parameter that names the one of the examples."""


def entries_of(kind: str, parameter: str) -> Operation:
    """Tell of listing the entries of an object."""
    return Operation(
        f"list{kind.title()}Entries",
        f"List the entries of {'an' if kind == 'account' else 'a'} {kind}",
        ENTRIES,
        "Ledger",
        {200: Success("A page of entries.", "EntryPage", (), PAGING)},
        (*ALWAYS, Code.NOT_FOUND),
        (parameter, *BOUNDS, "Limit", "Cursor", *READER),
    )


TRIAL_BALANCE = Operation(
    "retrieveTrialBalance",
    "Draw up the trial balance",
    "Every account of the ledger with its debits, its credits and its total (debits less credits), in each currency. "
    "The totals of a currency add up to zero, and `receivable` is what all objects together owe.",
    "Ledger",
    {200: Success("The trial balance.", "TrialBalance")},
    ALWAYS,
    ("BalanceCurrency", "AsOf", *READER),
)

LEDGER: Operations = {
    **{
        (f"/billing/{kind}s/{{{kind}}}/entries", "GET"): entries_of(kind, parameter)
        for kind, parameter in NAMED.items()
    },
    ("/billing/ledger/trial-balance", "GET"): TRIAL_BALANCE,
}


def entries() -> list[Json]:
    """Give entries as they may look."""
    return story.entries("account", story.HER_WATER)


def trial_balance() -> Json:
    """Give a trial balance as it may look."""
    return story.trial_balance()
