"""The edge: what every request goes through, once, in the contract's order of refusals (contract, 1.1)."""

import logging
import time
from collections.abc import Mapping
from functools import partial

from owed.api.access import bearer, refuse_unusable
from owed.api.logs import RequestLog
from owed.api.messages import JSON, MERGE_PATCH, PROBLEM_JSON, Request, Response, Stream
from owed.api.problems import Refusal, problem, refusal
from owed.api.routes import PAGES, ROUTES, Handler, Match, Router
from owed.api.service import Service
from owed.core.outcomes import Code, Refused
from owed.engine.attempts import UNREACHABLE
from owed.engine.store import Conflict, Unavailable
from owed.model.access import digest

logger = logging.getLogger("owed.edge")

TAKES = {"POST": (JSON,), "PATCH": (JSON, MERGE_PATCH)}
"""The media types of the methods that take a body."""

BUG = Refused(Code.INTERNAL_ERROR, "This is our fault, and it is logged under the request id.")


class Edge:
    """Answers requests, each with a response whatever happens."""

    def __init__(self, service: Service, log: RequestLog) -> None:
        self._service = service
        self._log = log
        self._routes = Router(ROUTES)
        self._pages = Router(PAGES)

    async def answer(self, request: Request) -> Response:
        """Answer one request, and note what became of it; of a stream, when it has ended."""
        began = time.perf_counter()
        response = await self._response(request)
        response.headers = {**request.rate_limit, **response.headers}
        if isinstance(response, Stream):
            response.note_end = partial(self._note, request, response.status, began)
        else:
            self._note(request, response.status, began)
        return response

    def _note(self, request: Request, status: int, began: float) -> None:
        taken = time.perf_counter() - began
        self._service.metrics.note_request(request.route, request.method, status, taken)
        self._log.note(request, status, taken)

    async def _response(self, request: Request) -> Response:
        try:
            return await self._begun(request)
        except Refusal as refused:
            return refuse(request, refused.refused, refused.headers)
        except (Unavailable, Conflict):  # out of reach, or locked for longer than a request may wait
            return refuse(request, UNREACHABLE, {"retry-after": "1"})
        except Exception:
            logger.exception("a request failed", extra={"request_id": request.id, "route": request.route})
            return refuse(request, BUG)

    async def _begun(self, request: Request) -> Response:
        """Handle a request; what fails before the first piece of a stream is there is refused like anything else."""
        response = await self._handle(request)
        if isinstance(response, Stream):
            await response.begin()
        return response

    async def _handle(self, request: Request) -> Response:
        if not request.path.startswith("/billing/") and (page := self._pages.match(request.path)):
            return await handler(request, page)(self._service, request)
        await self._authenticate(request)
        match = self._routes.match(request.path)
        if match is None:
            raise refusal(Code.NOT_FOUND, f"There is no route {request.path}; /docs lists those that there are.")
        handle = handler(request, match)
        limit = self._service.rate_limit
        if limit.is_on:
            request.rate_limit = limit.spend(request.key.id)
        check_body(request)
        return await handle(self._service, request)

    async def _authenticate(self, request: Request) -> None:
        access = self._service.access
        hashed = digest(bearer(request.header(b"authorization")))
        request.key = refuse_unusable(access.known(hashed) or await access.find(hashed))
        access.note_use(request.key)


def handler(request: Request, match: Match) -> Handler:
    """Give the handler of a route for the request's method. A HEAD is a GET whose body stays here.

    Raises:
        Refusal: The route does not have the method.
    """
    request.route, request.arguments = match.route.path, match.arguments
    handlers = match.route.handlers
    found = handlers.get("GET" if request.method == "HEAD" else request.method)
    if found is None:
        allowed = ", ".join(sorted({*handlers, "HEAD"} if "GET" in handlers else handlers))
        raise refusal(Code.METHOD_NOT_ALLOWED, f"{request.path} takes {allowed}.", allow=allowed)
    return found


def check_body(request: Request) -> None:
    """Check the size of the body, and its media type.

    Raises:
        Refusal: It is too large, or its media type is missing or another.
    """
    if request.is_too_large:
        raise refusal(Code.PAYLOAD_TOO_LARGE, "A body may have up to 1 MiB (1,048,576 bytes).")
    if request.method not in TAKES:
        return
    media_type = request.header(b"content-type") or ""
    request.media_type = media_type.partition(";")[0].strip().lower()
    taken = TAKES[request.method]
    if (request.body or media_type) and request.media_type not in taken:
        raise refusal(Code.UNSUPPORTED_MEDIA_TYPE, f"Send the body as {' or '.join(taken)}, with that Content-Type.")
    if request.header(b"content-encoding") not in (None, "identity"):
        raise refusal(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, with no Content-Encoding.")


def refuse(request: Request, refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
    """Make the response of a refusal: problem details."""
    answer = problem(refused, request.base_url, request.path, request.id)
    return Response(answer.status, answer.body, {"content-type": PROBLEM_JSON, **(headers or {})})
