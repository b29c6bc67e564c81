"""Routes: which handler answers which method on which path."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from owed.api import (
    accounts,
    audit,
    bills,
    customers,
    deliveries,
    erasing,
    events,
    exports,
    ledger,
    pages,
    payments,
    replays,
    reports,
    settings,
    statements,
    unallocated,
    verification,
    webhook_endpoints,
    webhook_tests,
)
from owed.api.accounts import ACCOUNTS
from owed.api.adjustments import WAYS, Adjusting
from owed.api.bills import BILLS
from owed.api.customers import CUSTOMERS
from owed.api.entries import EntryList
from owed.api.messages import Request, Response
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.api.service import Service
from owed.api.taken_back import REFUNDS, REVERSALS

Handler = Callable[[Service, Request], Awaitable[Response]]


class Route(NamedTuple):
    """A path and what may be done there. A part in braces stands for any one segment."""

    path: str
    handlers: Mapping[str, Handler]


def adjusting(way: Adjusting) -> tuple[Route, ...]:
    """Give the routes of the charges, or the credits, on one kind of object."""
    path = f"/billing/{way.object_kind}s/{{{way.object_kind}}}/{way.kind}s"
    return (
        Route(path, {"GET": way.list_all, "POST": way.create}),
        Route(f"{path}/{{{way.kind}}}", {"GET": way.retrieve}),
        Route(f"{path}/{{{way.kind}}}/reverse", {"POST": way.reverse}),
    )


ROUTES = (
    Route("/billing/customers", {"GET": customers.LIST.respond, "POST": CUSTOMERS.create}),
    Route("/billing/customers/{customer}", {"GET": CUSTOMERS.retrieve, "PATCH": CUSTOMERS.update}),
    Route("/billing/customers/{customer}/erase", {"POST": erasing.erase_customer}),
    Route("/billing/customers/{customer}/entries", {"GET": EntryList("customer").respond}),
    Route("/billing/customers/{customer}/statement", {"GET": statements.retrieve_statement}),
    Route("/billing/accounts", {"GET": accounts.LIST.respond, "POST": ACCOUNTS.create}),
    Route("/billing/accounts/{account}", {"GET": ACCOUNTS.retrieve, "PATCH": ACCOUNTS.update}),
    Route("/billing/accounts/{account}/entries", {"GET": EntryList("account").respond}),
    Route("/billing/bills", {"GET": bills.LIST.respond, "POST": BILLS.create}),
    Route("/billing/bills/{bill}", {"GET": BILLS.retrieve, "PATCH": BILLS.update}),
    Route("/billing/bills/{bill}/void", {"POST": bills.void_bill}),
    Route("/billing/bills/{bill}/entries", {"GET": EntryList("bill").respond}),
    *(route for way in WAYS for route in adjusting(way)),
    Route("/billing/payments", {"GET": payments.LIST.respond, "POST": payments.create_payment}),
    Route("/billing/payments/check", {"POST": payments.check_payment}),
    Route("/billing/payments/{payment}", {"GET": payments.retrieve_payment}),
    Route("/billing/payments/{payment}/refunds", {"GET": REFUNDS.list_all, "POST": REFUNDS.create}),
    Route("/billing/payments/{payment}/refunds/{refund}", {"GET": REFUNDS.retrieve}),
    Route("/billing/payments/{payment}/reversals", {"GET": REVERSALS.list_all, "POST": REVERSALS.create}),
    Route("/billing/payments/{payment}/reversals/{reversal}", {"GET": REVERSALS.retrieve}),
    Route("/billing/payments/{payment}/allocations", {"GET": ALLOCATIONS.list_all, "POST": ALLOCATIONS.create}),
    Route("/billing/payments/{payment}/allocations/{allocation}", {"GET": ALLOCATIONS.retrieve}),
    Route("/billing/payments/{payment}/moves", {"GET": MOVES.list_all, "POST": MOVES.create}),
    Route("/billing/payments/{payment}/moves/{move}", {"GET": MOVES.retrieve}),
    Route("/billing/unallocated", {"GET": unallocated.LIST.respond}),
    Route("/billing/customers/{customer}/unallocated", {"GET": unallocated.retrieve_unallocated}),
    Route("/billing/events", {"GET": events.list_events}),
    Route("/billing/events/{event}", {"GET": events.retrieve_event}),
    Route("/billing/events/{event}/deliveries", {"GET": deliveries.list_deliveries}),
    Route("/billing/events/{event}/redeliver", {"POST": deliveries.redeliver}),
    Route(
        "/billing/webhook_endpoints",
        {"GET": webhook_endpoints.list_endpoints, "POST": webhook_endpoints.create_endpoint},
    ),
    Route(
        "/billing/webhook_endpoints/{endpoint}",
        {
            "GET": webhook_endpoints.retrieve_endpoint,
            "PATCH": webhook_endpoints.update_endpoint,
            "DELETE": webhook_endpoints.delete_endpoint,
        },
    ),
    Route("/billing/webhook_endpoints/{endpoint}/secrets", {"GET": webhook_endpoints.list_secrets}),
    Route("/billing/webhook_endpoints/{endpoint}/secrets/{secret}", {"GET": webhook_endpoints.retrieve_secret}),
    Route("/billing/webhook_endpoints/{endpoint}/rotate-secret", {"POST": webhook_endpoints.rotate_secret}),
    Route("/billing/webhook_endpoints/{endpoint}/status", {"GET": webhook_endpoints.retrieve_status}),
    Route("/billing/webhook_endpoints/{endpoint}/replay", {"POST": replays.replay}),
    Route("/billing/webhook_endpoints/{endpoint}/test", {"POST": webhook_tests.send_test}),
    Route("/billing/webhook_endpoints/verify-signature", {"POST": verification.verify_signature}),
    Route("/billing/reports/payments", {"GET": reports.retrieve_payment_totals}),
    Route("/billing/reports/ageing", {"GET": reports.retrieve_ageing}),
    Route("/billing/exports/entries", {"GET": exports.Exporting("entries").respond}),
    Route("/billing/exports/payments", {"GET": exports.Exporting("payments").respond}),
    Route("/billing/ledger/trial-balance", {"GET": ledger.retrieve_trial_balance}),
    Route("/billing/audit", {"GET": audit.list_audit}),
    Route("/billing/settings", {"GET": settings.retrieve_settings, "PATCH": settings.update_settings}),
)
"""What needs a secret key."""

PAGES = (
    Route("/openapi.json", {"GET": pages.openapi_document}),
    Route("/docs", {"GET": pages.docs}),
    Route("/docs/errors", {"GET": pages.error_catalogue}),
    Route("/docs/assets/{name}", {"GET": pages.docs_asset}),
    Route("/health", {"GET": pages.health}),
    Route("/ready", {"GET": pages.ready}),
    Route("/metrics", {"GET": pages.metrics}),
)
"""What needs no key."""


class Match(NamedTuple):
    """The route of a path, and the segments that its braces stood for."""

    route: Route
    arguments: tuple[str, ...]


class Router:
    """Finds the route of a path, segment by segment; a literal segment goes before braces."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._literal = {route.path: route for route in routes if "{" not in route.path}
        self._others = [(route, route.path.split("/")) for route in routes if "{" in route.path]

    def match(self, path: str) -> Match | None:
        """Give the match of a path, None where no route fits."""
        if route := self._literal.get(path):
            return Match(route, ())
        segments = path.split("/")
        for route, shape in self._others:
            if len(shape) == len(segments) and (match := fit(route, shape, segments)):
                return match
        return None


def fit(route: Route, shape: list[str], segments: list[str]) -> Match | None:
    """Fit the segments of a path to the shape of a route. A segment that is empty fits no braces."""
    arguments = []
    for want, have in zip(shape, segments, strict=True):
        if want[:1] == "{" and have:
            arguments.append(unquote(have) if "%" in have else have)
        elif want != have:
            return None
    return Match(route, tuple(arguments))
