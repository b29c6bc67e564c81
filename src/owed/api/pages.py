"""What needs no key: the service's own pages, and what operators' machines ask it."""

import hashlib
from functools import cache

import msgspec

from owed.api import conditions, query
from owed.api.docs.addresses import addressed
from owed.api.docs.assets import ASSETS, asset
from owed.api.docs.catalogue import catalogue
from owed.api.docs.reference import reference_page
from owed.api.messages import JSON, Request, Response
from owed.api.openapi import document
from owed.api.problems import refusal
from owed.api.service import Service
from owed.core.outcomes import Code
from owed.database import migrations
from owed.store.failures import translated

HTML = "text/html; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may load and reach: this server, and nothing written into the page itself."""

DOCUMENTATION = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # kept, but asked for again: the ETag makes that cheap
}


async def health(_service: Service, request: Request) -> Response:
    """GET /health: the process lives."""
    query.refuse_any(request)
    return Response(200, b'{"status":"ok"}', {"content-type": JSON})


async def ready(service: Service, request: Request) -> Response:
    """GET /ready: the database answers, and its schema has all that this program needs."""
    query.refuse_any(request)
    with translated():
        async with service.pool.connection() as connection:
            is_current = await migrations.is_current(connection.raw)
    if not is_current:
        raise refusal(Code.UNAVAILABLE, "The database has an older schema than this program needs.", retry_after="5")
    return Response(200, b'{"status":"ok"}', {"content-type": JSON})


async def metrics(service: Service, request: Request) -> Response:
    """GET /metrics: what this service has counted, for Prometheus."""
    query.refuse_any(request)
    return Response(200, service.shared_metrics.exposition(), {"content-type": PROMETHEUS})


async def openapi_document(_service: Service, request: Request) -> Response:
    """GET /openapi.json: this API, described."""
    return documentation(request, addressed(openapi_json(), request.base_url), JSON)


async def docs(_service: Service, request: Request) -> Response:
    """GET /docs: the API to read and to try."""
    return documentation(request, addressed(reference_page(), request.base_url), HTML)


async def docs_asset(_service: Service, request: Request) -> Response:
    """GET /docs/assets/{name}: what the pages need."""
    (name,) = request.arguments
    if name not in ASSETS:
        raise refusal(Code.NOT_FOUND, f"There is no {name!r} here; there are {', '.join(ASSETS)}.")
    return documentation(request, asset(name), ASSETS[name])


async def error_catalogue(_service: Service, request: Request) -> Response:
    """GET /docs/errors: every code, and what to do about it."""
    return documentation(request, addressed(catalogue(), request.base_url), HTML)


@cache
def openapi_json() -> bytes:
    """Encode the OpenAPI document."""
    return msgspec.json.encode(document())


def documentation(request: Request, body: bytes, media_type: str) -> Response:
    """Answer with a page that stays the same, at this address, while this version runs."""
    query.refuse_any(request)
    tag = digest(body)
    headers = {"etag": tag, **DOCUMENTATION}
    if conditions.is_unmodified(request.header(b"if-none-match"), tag):
        return Response(304, headers=headers)
    return Response(200, body, {"content-type": media_type, **headers})


def digest(body: bytes) -> str:
    """Give the ETag of a page."""
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'
