"""What needs no key: the service's own pages, and what operators' machines ask it."""

from owed.api import query
from owed.api.messages import Request, Response
from owed.api.service import Service
from owed.database import DatabaseError, migrations
from owed.store.failures import translated


async def health(service: Service, request: Request) -> Response:
    """GET /health: the process lives."""
    query.refuse_any(request)
    return Response(200, b'{"status":"ok"}', {"content-type": "application/json"})


async def ready(service: Service, request: Request) -> Response:
    """GET /ready: the database answers, and its schema is the one that this program knows."""
    query.refuse_any(request)
    try:
        with translated():
            async with service.pool.connection() as connection:
                await migrations.require_current(connection.raw)
    except DatabaseError:
        return Response(503, b'{"status":"wrong schema"}', {"content-type": "application/json", "retry-after": "5"})
    return Response(200, b'{"status":"ok"}', {"content-type": "application/json"})


async def metrics(service: Service, request: Request) -> Response:
    """GET /metrics: what this service has counted, for Prometheus."""
    query.refuse_any(request)
    return Response(200, service.metrics.exposition(), {"content-type": "text/plain; version=0.0.4; charset=utf-8"})


async def openapi_document(service: Service, request: Request) -> Response:
    """GET /openapi.json: this API, described."""
    return Response(200, b'{"openapi":"3.1.0","info":{"title":"Owed","version":"0.1.0"},"paths":{}}')


async def docs(service: Service, request: Request) -> Response:
    """GET /docs: the API to read and to try."""
    return Response(200, b"")


async def docs_asset(service: Service, request: Request) -> Response:
    """GET /docs/assets/{name}: what the page needs."""
    return Response(200, b"")


async def error_catalogue(service: Service, request: Request) -> Response:
    """GET /docs/errors: every code, and what to do about it."""
    return Response(200, b"")
