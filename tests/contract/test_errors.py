"""1.5: problem details, every row of the table, and 1.1: the order of refusals."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.contract.client import PROBLEM, Answer, Client
from tests.contract.samples import (
    CUSTOMERS,
    PAYMENTS,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    a_request,
    at,
    create,
    pay,
)
from tests.contract.service import Database, Service, dsn_of

TOO_LARGE = b" " * (2**20 + 1)
MALFORMED_KEY = "not a key"


@pytest.fixture(scope="module")
def problems(client: Client, anonymous: Client, public: Client, service: Service) -> dict[str, Answer]:
    """One of each problem that a client can bring about by itself."""
    customer, key = a_customer(client, currency="ZAR", balance=1), a_key()
    client.post(CUSTOMERS, a_request(), Idempotency_Key=key)
    return {
        "invalid_request": create(client, name=5),
        "unauthorized": anonymous.get(CUSTOMERS),
        "invalid_api_key": service.client("sk_test_x").get(CUSTOMERS),
        "forbidden": public.get(CUSTOMERS),
        "not_found": client.get(f"{CUSTOMERS}/nobody"),
        "method_not_allowed": client.send("DELETE", CUSTOMERS),
        "payload_too_large": client.post(CUSTOMERS, TOO_LARGE),
        "unsupported_media_type": client.post(CUSTOMERS, {}, Content_Type="text/plain"),
        "conflict": client.patch(at(customer), {"currency": "USD"}),
        "precondition_failed": client.patch(at(customer), {"name": "x"}, If_Match='"other"'),
        "idempotency_key_reused": client.post(CUSTOMERS, a_request(), Idempotency_Key=key),
        "payment_not_found": client.get(f"{PAYMENTS}/nothing"),
        "payment_refused": pay(client, 2, customer=customer["id"]),
    }


STATUSES = {
    "invalid_request": 400,
    "unauthorized": 401,
    "invalid_api_key": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "conflict": 409,
    "precondition_failed": 412,
    "idempotency_key_reused": 422,
    "payment_not_found": 404,
    "payment_refused": 422,
}

FURTHER = {"payment_refused": {"rule", "rules", "would_pass"}}
"""Members that a problem has beside those that all have."""


@pytest.mark.parametrize("code", STATUSES)
def test_a_problem_has_its_row_of_the_table(problems: dict[str, Answer], code: str) -> None:
    """1.5: the table: `status` and `code`, in RFC 9457 problem details, as application/problem+json."""
    answer = problems[code]
    problem = answer.json()
    assert (answer.status, problem["status"], problem["code"]) == (STATUSES[code], STATUSES[code], code)
    assert answer.media_type() == PROBLEM
    further = FURTHER.get(code, set())
    always = {"type", "title", "status", "detail", "instance", "code", "request_id"}
    assert set(problem) - {"errors"} == always | further
    assert all(isinstance(problem[member], str) and problem[member] for member in always - {"status"})
    assert problem["request_id"] == answer.header("Request-Id")
    assert re.fullmatch(f"https?://[^/]+/docs/errors#{code.replace('_', '-')}", problem["type"])
    assert problem["instance"].startswith((CUSTOMERS, PAYMENTS))


@pytest.mark.parametrize("code", STATUSES)
def test_a_problems_type_leads_to_the_catalogue(problems: dict[str, Answer], anonymous: Client, code: str) -> None:
    """1.5: that URL really serves the catalogue of errors, with this error in it."""
    url = urlsplit(problems[code].json()["type"])
    page = anonymous.get(url.path)
    assert page.status == 200
    assert f'id="{url.fragment}"' in page.body.decode()


def test_a_code_always_has_the_same_title(client: Client, problems: dict[str, Answer]) -> None:
    """RFC 9457, 3.1.4: the title does not change from occurrence to occurrence."""
    for code, again in (
        ("not_found", client.get(f"{CUSTOMERS}/else")),
        ("not_found", client.get("/x")),
        ("invalid_request", create(client, x=1)),
    ):
        assert again.json()["title"] == problems[code].json()["title"]


def test_the_instance_is_the_request_path(client: Client) -> None:
    """1.5: `instance` (the request path), without the query."""
    assert client.get(f"{CUSTOMERS}/nobody?x=1").json()["instance"] == f"{CUSTOMERS}/nobody"
    assert client.get("/no/such/route").json()["instance"] == "/no/such/route"


def test_errors_come_with_every_400_and_each_has_a_pointer_and_a_detail(client: Client) -> None:
    """1.5: on 400 `errors`: each `{"pointer", "detail"}`."""
    for answer in (
        create(client, name=5),
        client.post(CUSTOMERS, b"{"),
        client.get(f"{CUSTOMERS}?limit=0"),
        create(client, balance=1),
    ):
        errors = answer.json()["errors"]
        assert errors
        assert all(set(fault) == {"pointer", "detail"} and fault["detail"] for fault in errors)


def test_headers_and_query_parameters_are_named_as_such(client: Client) -> None:
    """1.5: a header or query parameter is named as `header: Idempotency-Key`, `query: limit`."""
    assert client.post(CUSTOMERS, a_request(), Idempotency_Key=MALFORMED_KEY).pointers == ["header: Idempotency-Key"]
    assert client.get(f"{CUSTOMERS}?limit=0").pointers == ["query: limit"]


def test_a_detail_says_what_would_be_right(client: Client) -> None:
    """1.5: `detail` says what was wrong with this request and what would be right."""
    errors = create(client, name="x" * 256, currency="zar").json()["errors"]
    details = {fault["pointer"]: fault["detail"] for fault in errors}
    assert "255" in details["/name"]
    assert "ISO 4217" in details["/currency"]


def test_problems_are_never_cached(problems: dict[str, Answer]) -> None:
    for answer in problems.values():
        assert answer.headers.get("ETag") is None
        assert answer.headers.get("Location") is None


# The order of refusals: each step is tried against the next one, with one request that deserves both.


def test_authentication_comes_before_the_route(anonymous: Client, service: Service) -> None:
    assert anonymous.get("/billing/nope").status == 401
    assert anonymous.send("DELETE", CUSTOMERS).status == 401
    assert service.client("sk_test_x").get("/billing/nope").status == 401


def test_authentication_comes_before_everything_else(anonymous: Client, public: Client) -> None:
    for caller, status in ((anonymous, 401), (public, 403)):
        assert caller.post(CUSTOMERS, TOO_LARGE).status == status
        assert caller.post(CUSTOMERS, b"{", Content_Type="text/plain", Idempotency_Key=MALFORMED_KEY).status == status
        assert caller.patch(f"{CUSTOMERS}/nobody", {}, If_Match='"x"').status == status


def test_the_route_comes_before_size_and_media_type(client: Client) -> None:
    assert client.post("/billing/nope", TOO_LARGE).status == 404
    assert client.post("/billing/nope", b"x", Content_Type="text/plain").status == 404
    assert client.send("PUT", CUSTOMERS, TOO_LARGE).status == 405


def test_size_and_media_type_come_before_the_idempotency_key(client: Client) -> None:
    key, request = a_key(), a_request()
    client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert client.post(CUSTOMERS, TOO_LARGE, Idempotency_Key=MALFORMED_KEY).status == 413
    assert client.post(CUSTOMERS, request, Content_Type="text/plain", Idempotency_Key=MALFORMED_KEY).status == 415
    assert client.post(CUSTOMERS, TOO_LARGE, Idempotency_Key=key).status == 413
    assert client.post(CUSTOMERS, request, Content_Type="text/plain", Idempotency_Key=key).status == 415


def test_the_idempotency_key_comes_before_the_paths_object(client: Client) -> None:
    missing = f"{CUSTOMERS}/{a_reference()}"
    assert client.patch(missing, {"name": "x"}, Idempotency_Key=MALFORMED_KEY).pointers == ["header: Idempotency-Key"]
    key = a_key()
    client.post(CUSTOMERS, a_request(), Idempotency_Key=key)
    assert client.patch(missing, {"name": "x"}, Idempotency_Key=key).status == 422


def test_the_replay_comes_before_if_match_validation_and_state(client: Client) -> None:
    key, customer = a_key(), a_customer(client, currency="ZAR", balance=1)
    client.post(CUSTOMERS, a_request(), Idempotency_Key=key)
    assert client.patch(at(customer), {"name": "x"}, Idempotency_Key=key, If_Match='"other"').status == 422
    assert client.patch(at(customer), {"name": 5}, Idempotency_Key=key).status == 422
    assert client.patch(at(customer), {"currency": "USD"}, Idempotency_Key=key).status == 422
    assert client.post(CUSTOMERS, b"{", Idempotency_Key=key).status == 422


def test_the_paths_object_comes_before_if_match(client: Client) -> None:
    assert client.patch(f"{CUSTOMERS}/{a_reference()}", {"name": "x"}, If_Match='"other"').status == 404


def test_the_paths_object_comes_before_validation(client: Client) -> None:
    missing = f"{CUSTOMERS}/{a_reference()}"
    assert client.patch(missing, {"name": 5}).status == 404
    assert client.patch(missing, b"{").status == 404
    assert client.patch(f"{missing}?x=1", {"name": "x"}).status == 404
    assert client.patch(missing, {"name": "x"}, Owed_Actor="x" * 256).status == 404
    assert client.get(f"{missing}?x=1").status == 404


def test_if_match_comes_before_validation(client: Client) -> None:
    path = at(a_customer(client))
    assert client.patch(path, {"name": 5}, If_Match='"other"').status == 412
    assert client.patch(path, b"{", If_Match='"other"').status == 412
    assert client.patch(f"{path}?x=1", {"name": "x"}, If_Match='"other"').status == 412


def test_if_match_comes_before_the_state(client: Client) -> None:
    path = at(a_customer(client, currency="ZAR", balance=1))
    assert client.patch(path, {"currency": "USD"}, If_Match='"other"').status == 412


def test_validation_comes_before_the_state(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=1)
    assert client.post(CUSTOMERS, {"external_reference": customer["external_reference"], "name": 5}).status == 400
    assert client.post(CUSTOMERS, {"external_reference": customer["external_reference"], "balance": 5}).status == 400
    assert client.post(f"{CUSTOMERS}?x=1", {"external_reference": customer["external_reference"]}).status == 400
    assert client.patch(at(customer), {"currency": "USD", "name": 5}).status == 400
    assert client.patch(at(customer), {"currency": "USD", "id": "bcus_other"}).status == 400


def test_a_payment_is_refused_in_the_order_of_every_request(client: Client, public: Client) -> None:
    """1.1: authentication, media type, idempotency key, validation; then an absent object, a conflict, the rules."""
    owes = a_customer(client, currency="ZAR", balance=1)
    reference = a_payment(client, 1, customer=a_customer(client, currency="ZAR", balance=1)["id"],
                          external_reference=a_reference())["external_reference"]  # fmt: skip
    beyond = {"amount": 2, "currency": "ZAR", "customer": owes["id"]}
    key = {"Idempotency_Key": a_key()}
    taken = beyond | {"external_reference": reference}
    absent = taken | {"customer": a_reference()}
    wrong = absent | {"amount": 0}
    answers = [
        public.post(PAYMENTS, wrong, Content_Type="text/plain"),
        client.post(PAYMENTS, wrong, Content_Type="text/plain"),
        client.post(PAYMENTS, wrong),
        client.post(PAYMENTS, wrong, **key),
        client.post(PAYMENTS, absent, **key),
        client.post(PAYMENTS, taken, Idempotency_Key=a_key()),
        client.post(PAYMENTS, beyond, Idempotency_Key=a_key()),
    ]
    assert [(answer.status, answer.code) for answer in answers] == [
        (403, "forbidden"),
        (415, "unsupported_media_type"),
        (400, "invalid_request"),
        (400, "invalid_request"),
        (404, "not_found"),
        (409, "conflict"),
        (422, "payment_refused"),
    ]
    assert answers[2].pointers == ["header: Idempotency-Key"]
    assert answers[3].pointers == ["/amount"]


# 500 and 503


POISON = """
    CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'top secret statement' USING ERRCODE = 'data_exception';
    END
    $$;
    CREATE TRIGGER poison BEFORE INSERT ON customer FOR EACH ROW WHEN (NEW.name = 'poison') EXECUTE FUNCTION poison()
"""


def test_a_fault_of_ours_is_500_for_that_request_alone_and_leaves_its_key_free(
    service: Service, client: Client, database: Database
) -> None:
    """1.5: 500 `internal_error`: our fault; logged with the request id; the key is free; it shows no SQL."""
    key, request = a_key(), a_request(name="poison")
    database.execute(POISON)
    try:
        with ThreadPoolExecutor(12) as pool:
            healthy = [pool.submit(create, client, name="healthy") for _ in range(20)]
            answer = client.post(CUSTOMERS, request, Idempotency_Key=key)
        assert {other.result().status for other in healthy} == {201}
    finally:
        database.execute("DROP TRIGGER poison ON customer; DROP FUNCTION poison()")
    assert (answer.status, answer.code, answer.media_type()) == (500, "internal_error", PROBLEM)
    for secret in ("secret", "INSERT", "poison", "Traceback", "asyncpg", "/src/"):
        assert secret not in answer.body.decode()
    assert any(
        answer.header("Request-Id") in line for line in service.log.read_text().splitlines() if "Traceback" in line
    )
    retried = client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert (retried.status, retried.headers.get("Idempotent-Replayed")) == (201, None)


def until(status: int, ask: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + 5
    while (answer := ask()).status != status and time.monotonic() < deadline:
        pass
    return answer


def test_without_a_database_everything_is_503_until_it_is_back(serve_alone: Callable[..., Service]) -> None:
    """1.5: 503 `unavailable` with `Retry-After`: the database is out of reach. 1.2: who cannot know refuses (503)."""
    alone = serve_alone()
    caller = alone.client(alone.merchant("Lonely").keys["sk_test"])
    customer, key = a_customer(caller), a_key()
    out_of_reach = Database(dsn_of(alone).replace("/postgres?", "/template1?"))
    out_of_reach.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false")
    out_of_reach.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'")
    try:
        answers = {
            "retrieve": until(503, lambda: caller.get(at(customer))),
            "list": until(503, lambda: caller.get(CUSTOMERS)),
            "create": until(503, lambda: caller.post(CUSTOMERS, a_request(), Idempotency_Key=key)),
            "update": until(503, lambda: caller.patch(at(customer), {"name": "x"})),
            "a key that nobody knows yet": until(503, lambda: alone.client("sk_test_unknown").get(CUSTOMERS)),
        }
        assert {name: (answer.status, answer.code) for name, answer in answers.items()} == dict.fromkeys(
            answers, (503, "unavailable")
        )
        for answer in answers.values():
            assert answer.media_type() == PROBLEM
            assert int(answer.header("Retry-After")) >= 0
        assert until(503, lambda: caller.get("/ready")).status == 503
        assert caller.get("/health").status == 200
    finally:
        out_of_reach.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true")
        out_of_reach.close()
    assert until(200, lambda: caller.get("/ready")).status == 200
    assert until(200, lambda: caller.get(at(customer))).json() == customer
    assert until(201, lambda: caller.post(CUSTOMERS, a_request(), Idempotency_Key=key)).status == 201


# Nothing a client sends may cause a 500


@pytest.mark.parametrize(
    "value", ["\\u0000", "\\ud800", "9" * 5000, "1e999", "[[[[]]]]", '{"": {"": {}}}', '"\\uffff"', "-0", '""', "null"]
)
def test_no_value_of_any_member_causes_a_500(client: Client, value: str) -> None:
    """1.1: nothing a client sends may cause a 500."""
    text = f'"{value}"' if value.startswith("\\") else value
    path = at(a_customer(client))
    members = [
        "id",
        "external_reference",
        "name",
        "email",
        "phone",
        "currency",
        "balance",
        "payment_rules",
        "metadata",
        "x",
    ]
    for body in (*(f'{{"{member}": {text}}}' for member in members), f'{{"metadata": {{"a": {text}}}}}', text):
        for answer in (
            client.post(CUSTOMERS, body.encode()),
            client.patch(path, body.encode()),
            client.merge(path, body.encode()),
        ):
            assert answer.status < 500, body


def test_a_header_of_strange_bytes_causes_no_500(client: Client) -> None:
    path = at(a_customer(client))
    names = [
        "Host",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Owed-Actor",
        "Owed-Reason",
        "Request-Id",
        "Content-Type",
        "Accept",
        "Cookie",
    ]
    for name in names:
        for value in ("\xff\xfe", "\xc3\xa9", "x" * 5000, ",;=\"'\\", "%00", "\x7f"):
            for method in ("GET", "PATCH"):
                headers = {"Content-Type": "application/json"} | {name: value}
                assert client.send(method, path, None if method == "GET" else b"{}", headers).status < 500, (
                    name,
                    value,
                )
