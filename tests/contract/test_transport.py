"""1.1: bodies, media types, members, nulls, numbers, query parameters and methods."""

import json
import re
import socket
import time

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, exchange, raw, read_answer
from tests.contract.samples import CUSTOMERS, RULES, a_customer, a_reference, a_request, at, create
from tests.contract.service import Service

MEBIBYTE = 1024 * 1024


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert set(answer.pointers) == set(pointers), answer.body


def body_of(text: str, reference: str | None = None) -> bytes:
    """Return a create's body with `text`, members in JSON, behind the reference."""
    return f'{{"external_reference": "{reference or a_reference()}", {text}}}'.encode()


# Media types


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'],
)
def test_json_is_accepted_however_it_is_spelt(client: Client, media_type: str) -> None:
    """1.1: JSON in UTF-8."""
    assert client.post(CUSTOMERS, a_request(), Content_Type=media_type).status == 201


def test_answers_are_json(client: Client) -> None:
    assert create(client).media_type() == "application/json"


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/xml",
     "application/jsonx", "application", "*/*", "application/*", "application/json, text/plain", "\xff", ";"],
)  # fmt: skip
def test_a_body_with_no_media_type_or_another_one_is_415(client: Client, media_type: str) -> None:
    """1.1, 1.5: 415 `unsupported_media_type`, on POST and PATCH, and nothing happens."""
    request, customer = a_request(), a_customer(client, name="Old")
    for answer in (
        client.post(CUSTOMERS, request, Content_Type=media_type),
        client.patch(at(customer), {"name": "New"}, Content_Type=media_type),
    ):
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert client.get(f"{CUSTOMERS}/{request['external_reference']}").status == 404
    assert client.get(at(customer)).json() == customer


def test_no_body_at_all_is_refused(client: Client) -> None:
    """1.1: there is neither a media type nor JSON in it."""
    path = at(a_customer(client))
    for method, target in (("POST", CUSTOMERS), ("PATCH", path)):
        assert client.send(method, target).status in (400, 415)


def test_a_merge_patch_is_for_patch_alone(client: Client) -> None:
    """1.1: only a PATCH is sent as application/merge-patch+json; on POST it is another media type."""
    assert client.post(CUSTOMERS, a_request(), Content_Type=MERGE_PATCH).status == 415
    assert client.merge(at(a_customer(client)), {"name": "x"}).status == 200


def test_a_json_patch_is_not_a_merge_patch(client: Client) -> None:
    body = [{"op": "remove", "path": "/name"}]
    assert client.patch(at(a_customer(client)), body, Content_Type="application/json-patch+json").status == 415


# Sizes


def test_a_body_of_exactly_1_mib_is_accepted(client: Client) -> None:
    """1.1: only a body over 1 MiB gets 413."""
    assert client.post(CUSTOMERS, json.dumps(a_request()).encode().ljust(MEBIBYTE)).status == 201


@pytest.mark.parametrize("excess", [1, MEBIBYTE])
def test_a_body_over_1_mib_is_413(client: Client, excess: int) -> None:
    """1.1, 1.5: 413 `payload_too_large`, and nothing happens."""
    request = a_request()
    answer = client.post(CUSTOMERS, json.dumps(request).encode().ljust(MEBIBYTE + excess))
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert client.get(f"{CUSTOMERS}/{request['external_reference']}").status == 404


def head_of(client: Client, method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {client.key}", *lines, "", ""]
    ).encode()


def test_a_declared_length_over_1_mib_is_413_before_the_body_comes(service: Service, client: Client) -> None:
    """1.1: a body over 1 MiB gets 413; a client that asks first (`Expect`) need not send it."""
    length = f"Content-Length: {2 * 1024**3}"
    for expect in ((), ("Expect: 100-continue",)):
        answer = exchange(service.port, head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", length, *expect))
        assert answer is not None
        assert (answer.status, answer.code) == (413, "payload_too_large")


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_chunked_body_is_a_body(service: Service, client: Client) -> None:
    head = head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", "Transfer-Encoding: chunked")
    answer = exchange(service.port, head + chunked(json.dumps(a_request()).encode(), 7))
    assert answer is not None
    assert answer.status == 201


def test_a_chunked_body_over_1_mib_is_413(service: Service, client: Client) -> None:
    """1.1: a body over 1 MiB gets 413, also where no length was declared."""
    head = head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", "Transfer-Encoding: chunked")
    answer = exchange(service.port, head + chunked(b" " * (MEBIBYTE + 1), 65_536))
    assert answer is not None
    assert (answer.status, answer.code) == (413, "payload_too_large")


# What is JSON


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"}", b'{"external_reference": "a"', b'{"external_reference": "a"}}',
        b'{"external_reference": "a"} x',
        b"{'external_reference': 'a'}", b'{"external_reference": "a",}', b"{external_reference: 1}",
        b'{"name": "a\tb"}',
        b'{"name": "\\x41"}', b'{"name": "\\u00"}', b"// comment\n{}", b'{"balance": NaN}', b'{"balance": Infinity}',
        b'{"balance": -Infinity}', b'{"balance": 01}', b'{"balance": +1}', b'{"balance": 0x10}', b'{"balance": 1.}',
        b"nul",
        b"external_reference=a", b"\x00", b"{}\x00", b"\x1f\x8b\x08\x00",
        '{"external_reference": "a"}'.encode("utf-16"), '{"external_reference": "a"}'.encode("utf-32"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_400(client: Client, body: bytes) -> None:
    """1.1, 1.5: 400 `invalid_request`: malformed JSON, on POST and PATCH, as JSON and as merge patch."""
    path = at(a_customer(client))
    for answer in (client.post(CUSTOMERS, body), client.patch(path, body), client.merge(path, body)):
        assert (answer.status, answer.code) == (400, "invalid_request"), body


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
     "é".encode("latin-1")],
)  # fmt: skip
def test_text_that_is_not_utf_8_is_400(client: Client, text: bytes) -> None:
    """1.1: JSON in UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF, no other encoding."""
    for template in (b'"name": "%s"', b'"metadata": {"a": "%s"}', b'"metadata": {"%s": "a"}'):
        body = b'{"external_reference": "%s", %s}' % (a_reference().encode(), template % text)
        answer = client.post(CUSTOMERS, body)
        assert (answer.status, answer.code) == (400, "invalid_request"), body


def test_a_byte_order_mark_is_not_json(client: Client) -> None:
    """RFC 8259, 8.1: a byte order mark must not be added; 1.1: a body that is not JSON gets 400."""
    answer = client.post(CUSTOMERS, b"\xef\xbb\xbf" + json.dumps(a_request()).encode())
    assert (answer.status, answer.code) == (400, "invalid_request")


@pytest.mark.parametrize("value", [[], [{}], "text", 1, 1.5, True, False, None])
def test_a_body_that_is_no_object_is_400(client: Client, value: object) -> None:
    path = at(a_customer(client))
    for answer in (client.post(CUSTOMERS, value), client.patch(path, value), client.merge(path, value)):
        assert (answer.status, answer.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    "escape", ["\\u0000", "a\\u0000b", "\\ud800", "\\udc00", "\\udc00\\ud800", "\\ud83d", "\\ud83dx", "\\uD83D\\n"]
)
@pytest.mark.parametrize(
    "template",
    [
        '"name": "{}"',
        '"metadata": {{"key": "{}"}}',
        '"metadata": {{"{}": "value"}}',
        '"{}": "value"',
        '"payment_rules": {{"{}": 1}}',
    ],
)
def test_u_0000_and_lone_surrogates_are_400(client: Client, escape: str, template: str) -> None:
    """1.1: a body that holds U+0000 or a lone surrogate gets 400, wherever it is; nothing causes a 500."""
    body = body_of(template.format(escape))
    path = at(a_customer(client))
    for answer in (client.post(CUSTOMERS, body), client.patch(path, b"{" + template.format(escape).encode() + b"}")):
        assert (answer.status, answer.code) == (400, "invalid_request"), body


def test_an_escape_that_is_itself_escaped_is_text(client: Client) -> None:
    """1.1: only U+0000 is refused, not six characters that spell it."""
    assert client.post(CUSTOMERS, body_of('"name": "\\\\u0000 \\\\ud800"')).json()["name"] == "\\u0000 \\ud800"


def test_a_surrogate_pair_is_one_character(client: Client) -> None:
    answer = client.post(CUSTOMERS, body_of('"name": "\\ud83d\\ude00"'))
    assert answer.json()["name"] == "😀"


def nested(depth: int, opening: str, closing: str, core: str = "1") -> str:
    """Return JSON in which `core` is `depth` levels down."""
    return opening * depth + core + closing * depth


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_a_body_nests_at_most_16_deep(client: Client, opening: str, closing: str) -> None:
    """1.1: a body that nests deeper than 16 gets 400 for that; at 16 it is judged by what it holds."""
    at_16 = client.post(CUSTOMERS, body_of(f'"name": {nested(15, opening, closing)}'))
    refused(at_16, "/name")
    at_17 = client.post(CUSTOMERS, body_of(f'"name": {nested(16, opening, closing)}'))
    assert (at_17.status, at_17.code) == (400, "invalid_request")
    assert "16" in at_17.json()["detail"] + str(at_17.json().get("errors"))
    assert "16" not in at_16.json()["detail"] + str(at_16.json()["errors"])


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [17, 100, 250, 400, 500, 700, 900, 980, 1_000, 2_000, 100_000])
def test_a_body_that_nests_without_end_is_400(client: Client, opening: str, closing: str, depth: int) -> None:
    """1.1: nothing a client sends may cause a 500."""
    for body in (nested(depth, opening, closing).encode(), (opening * depth).encode()):
        answer = client.post(CUSTOMERS, body)
        assert (answer.status, answer.code) == (400, "invalid_request")


def test_brackets_inside_text_are_no_depth(client: Client) -> None:
    assert a_customer(client, name="[" * 100 + '"' + "{" * 100)["name"] == "[" * 100 + '"' + "{" * 100


# Members


@pytest.mark.parametrize(
    "text",
    ['"name": "a", "name": "b"', '"name": "a", "name": "a"', '"name": "a", "n\\u0061me": "b"',
    '"name": null, "name": "a"',
     '"external_reference": "other"', '"unknown": 1, "unknown": 2'],
)  # fmt: skip
def test_the_same_member_twice_is_400(client: Client, text: str) -> None:
    """1.1: the same member twice in one object is 400, however it is spelt."""
    answer = client.post(CUSTOMERS, body_of(text))
    assert (answer.status, answer.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('"metadata": {"a": "1", "a": "2"}', "/metadata/a"),
        ('"metadata": {"a": "1", "a": "1"}', "/metadata/a"),
        ('"metadata": {"a": "1", "\\u0061": "2"}', "/metadata/a"),
        ('"payment_rules": {"min_amount": 1, "min_amount": 2}', "/payment_rules/min_amount"),
        ('"name": "a", "name": "b"', "/name"),
    ],
)  # fmt: skip
def test_the_same_member_twice_is_named(client: Client, text: str, pointer: str) -> None:
    """1.1: the same member twice in one object is 400, nested too, and 1.5: the pointer names it."""
    assert pointer in client.post(CUSTOMERS, body_of(text)).pointers
    customer = a_customer(client)
    answer = client.patch(at(customer), b"{" + text.encode() + b"}")
    assert answer.status == 400
    assert pointer in answer.pointers
    assert client.get(at(customer)).json() == customer


def test_many_members_of_which_one_is_given_twice_are_refused_at_once(client: Client) -> None:
    """1.1: nothing a client sends may hold a worker: finding what is given twice takes one look at the body."""
    members = ",".join(f'"{number}":1' for number in range(20_000))
    started = time.monotonic()
    assert client.post(CUSTOMERS, f'{{{members},"19999":1}}'.encode()).status == 400
    assert time.monotonic() - started < 1


def test_a_mebibyte_of_wrong_members_is_refused_at_once(client: Client) -> None:
    """1.1: nothing a client sends may hold a worker."""
    members = ",".join(f'"{number}":1' for number in range(100_000, 195_000))
    started = time.monotonic()
    answer = client.post(CUSTOMERS, f"{{{members}}}".encode())
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "name",
    ["balanse", "Name", "customer", "created_at", "updated_at", "status", "", " ", "é", "a/b", "a~b", "__class__"],
)
def test_an_unknown_member_is_refused_by_name(client: Client, name: str) -> None:
    """1.1: a request member that we do not know is refused by name (400), with a JSON Pointer (1.5)."""
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    refused(create(client, **{name: "x"}), pointer)
    refused(client.patch(at(a_customer(client)), {name: "x"}), pointer)
    refused(client.merge(at(a_customer(client)), {name: None}), pointer)


def test_an_unknown_member_of_the_payment_rules_is_refused_by_name(client: Client) -> None:
    rules = RULES | {"minimum": 1}
    refused(create(client, payment_rules=rules), "/payment_rules/minimum")
    refused(client.patch(at(a_customer(client)), {"payment_rules": rules}), "/payment_rules/minimum")


def test_every_fault_is_named_at_once(client: Client) -> None:
    """1.5: `errors`: every fault found, not only the first."""
    answer = client.post(
        f"{CUSTOMERS}?expand=all&x=1",
        {
            "external_reference": "a b",
            "name": 5,
            "email": "nobody",
            "phone": "0821234567",
            "currency": "zar",
            "balance": 1.5,
            "payment_rules": {"min_amount": 0, "max_amount": "1", "underpayment_allowed": 1},
            "metadata": {"plan": 1, "": "x", "k" * 41: "x"},
            "surname": "x",
        },
    )
    assert answer.status == 400
    assert set(answer.pointers) >= {
        "/external_reference", "/name", "/email", "/phone", "/currency", "/balance", "/payment_rules/min_amount",
        "/payment_rules/max_amount", "/payment_rules/underpayment_allowed", "/payment_rules/overpayment_allowed",
        "/metadata/plan", "/metadata/", "/metadata/" + "k" * 41, "/surname", "query: expand", "query: x",
    }  # fmt: skip
    assert all(fault["detail"] for fault in answer.json()["errors"])


# null


@pytest.mark.parametrize("member", ["name", "email", "phone", "currency", "balance", "payment_rules", "metadata"])
def test_in_json_a_null_counts_as_not_given_on_create(client: Client, member: str) -> None:
    """1.1: in `application/json` a member that is `null` counts as not given, on create."""
    without, with_null = a_customer(client), a_customer(client, **{member: None})
    own = {"id", "external_reference"}
    assert {k: v for k, v in with_null.items() if k not in own} == {k: v for k, v in without.items() if k not in own}


FULL = {
    "name": "John Doe",
    "email": "john@example.com",
    "phone": "+27123456789",
    "currency": "ZAR",
    "balance": 2000,
    "payment_rules": RULES,
    "metadata": {"a": "1", "b": "2"},
}


def test_in_json_a_null_never_wipes_anything_on_patch(client: Client) -> None:
    """1.1: and on PATCH, so that a client that serialises empty fields never wipes anything."""
    created = create(client, **FULL)
    path = created.header("Location")
    nothing = dict.fromkeys(created.json(), None)
    for body in (nothing, {"metadata": {"a": None}}, {"metadata": {"a": None, "unheard": None}}):
        answer = client.patch(path, body)
        assert (answer.status, answer.json(), answer.etag) == (200, created.json(), created.etag)


def test_in_json_a_metadata_key_that_is_null_counts_as_not_given_on_create(client: Client) -> None:
    assert a_customer(client, metadata={"a": None, "b": "2"})["metadata"] == {"b": "2"}
    assert "metadata" not in a_customer(client, metadata={"a": None})


def test_in_json_a_null_beside_a_value_leaves_the_value(client: Client) -> None:
    path = at(a_customer(client, **FULL))
    changed = client.patch(path, {"name": "New", "email": None, "metadata": {"a": None, "b": "3"}}).json()
    assert (changed["name"], changed["email"]) == ("New", "john@example.com")
    assert changed["metadata"] == {"a": "1", "b": "3"}


def test_in_json_rules_with_a_null_are_incomplete(client: Client) -> None:
    """1.1 with 5: a null counts as not given, and all four members are required together."""
    refused(create(client, payment_rules=RULES | {"max_amount": None}), "/payment_rules/max_amount")
    refused(
        client.patch(at(a_customer(client)), {"payment_rules": RULES | {"min_amount": None}}),
        "/payment_rules/min_amount",
    )


@pytest.mark.parametrize("member", ["name", "email", "phone", "payment_rules"])
def test_in_a_merge_patch_a_null_clears(client: Client, member: str) -> None:
    """1.1: in `application/merge-patch+json` `null` clears `name`, `email`, `phone`, `payment_rules`."""
    customer = a_customer(client, **FULL)
    answer = client.merge(at(customer), {member: None})
    assert answer.status == 200
    assert answer.json() == {name: value for name, value in customer.items() if name != member}
    assert client.get(at(customer)).json() == answer.json()


def test_in_a_merge_patch_a_null_clears_one_metadata_key(client: Client) -> None:
    """1.1: or one metadata key; the last one takes the empty `metadata` from the response."""
    path = at(a_customer(client, **FULL))
    assert client.merge(path, {"metadata": {"a": None}}).json()["metadata"] == {"b": "2"}
    assert client.merge(path, {"metadata": {"b": None, "never": None}}).json().get("metadata") is None
    assert "metadata" not in client.get(path).json()


@pytest.mark.parametrize("member", ["currency", "balance", "metadata", "id", "external_reference", "surname"])
def test_in_a_merge_patch_any_other_null_is_refused(client: Client, member: str) -> None:
    """1.1: any other member refuses `null` (400)."""
    created = create(client, **FULL)
    refused(client.merge(created.header("Location"), {member: None}), f"/{member}")
    assert client.get(created.header("Location")).etag == created.etag


@pytest.mark.parametrize("member", sorted(RULES))
def test_in_a_merge_patch_a_null_inside_the_rules_is_refused(client: Client, member: str) -> None:
    """1.1: any other member refuses `null`: the rules are replaced whole, in either media type."""
    refused(client.merge(at(a_customer(client)), {"payment_rules": RULES | {member: None}}), f"/payment_rules/{member}")


def test_a_merge_patch_changes_what_it_gives_and_nothing_else(client: Client) -> None:
    """1.1: RFC 7396."""
    customer = a_customer(client, **FULL)
    answer = client.merge(at(customer), {"name": "New", "metadata": {"c": "3"}})
    assert answer.json() == customer | {"name": "New", "metadata": {"a": "1", "b": "2", "c": "3"}}


# Methods and routes


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", CUSTOMERS, {"GET", "HEAD", "POST"}),
        ("PUT", CUSTOMERS, {"GET", "HEAD", "POST"}),
        ("PATCH", CUSTOMERS, {"GET", "HEAD", "POST"}),
        ("DELETE", f"{CUSTOMERS}/nobody", {"GET", "HEAD", "PATCH"}),
        ("PUT", f"{CUSTOMERS}/nobody", {"GET", "HEAD", "PATCH"}),
        ("POST", f"{CUSTOMERS}/nobody", {"GET", "HEAD", "PATCH"}),
    ],
)
def test_another_method_is_405_with_allow(client: Client, method: str, path: str, allowed: set[str]) -> None:
    """1.5: 405 `method_not_allowed` with `Allow`."""
    answer = client.send(method, path)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert {name.strip() for name in answer.header("Allow").split(",")} - {"OPTIONS"} == allowed


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "get", "FOO", "LOCK", "CONNECT"])
def test_a_strange_method_is_refused(client: Client, method: str) -> None:
    """1.1: nothing a client sends may cause a 500."""
    answer = client.send(method, CUSTOMERS)
    assert 400 <= answer.status < 500 or (method == "OPTIONS" and answer.status in (200, 204))
    client.close()


@pytest.mark.parametrize(
    "path",
    ["/", "/billing", "/billing/", "/billing/nope", "/billing/customer", "/billing/CUSTOMERS", "/Billing/customers",
    f"{CUSTOMERS}/",
     f"{CUSTOMERS}/a/b", f"{CUSTOMERS}/a/", f"{CUSTOMERS}//", f"/{CUSTOMERS}", f"{CUSTOMERS}/a/../b",
     "/billing/customers%2F", "/%00",
     "/v1/billing/customers", "/billing%2Fcustomers", "/../etc/passwd", "/.env"],
)  # fmt: skip
def test_another_path_is_404(client: Client, path: str) -> None:
    """1.5: 404 `not_found`: no such route. 1.1: no version in the path; billing lives under `/billing`."""
    answer = client.get(path)
    assert (answer.status, answer.code) == (404, "not_found")


# Query parameters


@pytest.mark.parametrize(
    "query", ["expand=1", "as_off=2", "limit=1", "q=x", "%6Cimits=1", "=", "=1", "a", "%FF=1", "%00=1"]
)
def test_an_unknown_query_parameter_is_400_on_every_route(client: Client, query: str) -> None:
    """1.1: a query parameter that is unknown is 400, on every route."""
    customer = a_customer(client)
    before = client.get(at(customer)).etag
    request = a_request()
    for answer in (
        client.get(f"{at(customer)}?{query}"),
        client.patch(f"{at(customer)}?{query}", {"name": "x"}),
        client.post(f"{CUSTOMERS}?{query}", request),
    ):
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert len(answer.pointers) == 1
        assert answer.pointers[0].startswith("query: ")
    assert client.get(at(customer)).etag == before
    assert client.get(f"{CUSTOMERS}/{request['external_reference']}").status == 404


def test_an_unknown_query_parameter_of_a_list_is_400(client: Client) -> None:
    refused(client.get(f"{CUSTOMERS}?limits=5&page=2"), "query: limits", "query: page")


@pytest.mark.parametrize(
    "name", ["limit", "external_reference", "email", "phone", "currency", "created_after", "created_before", "q"]
)
def test_a_query_parameter_given_twice_is_400(client: Client, name: str) -> None:
    """1.1: a query parameter given twice is 400."""
    value = {
        "limit": "5", "email": "a@example.com", "phone": "%2B27123456789", "currency": "ZAR",
        "created_after": "2024-01-01T00:00:00Z", "created_before": "2024-01-01T00:00:00Z",
    }.get(name, "x")  # fmt: skip
    refused(client.get(f"{CUSTOMERS}?{name}={value}&{name}={value}"), f"query: {name}")


def test_each_faulty_query_parameter_is_named(client: Client) -> None:
    """1.1: unknown, given twice or malformed is 400, each fault named."""
    answer = client.get(f"{CUSTOMERS}?limit=0&foo=1&q=a&q=b&created_after=yesterday&cursor=x")
    refused(answer, "query: limit", "query: foo", "query: q", "query: created_after", "query: cursor")


# Request-Id


@pytest.mark.parametrize("request_id", ["a", "x" * 64, "A-b_c.9", "..."])
def test_a_clients_request_id_is_kept(client: Client, request_id: str) -> None:
    """1.1: a client's own `Request-Id` (1 to 64 characters of `[A-Za-z0-9_.-]`) is kept."""
    for answer in (
        client.get(CUSTOMERS, Request_Id=request_id),
        client.get(f"{CUSTOMERS}/nobody", Request_Id=request_id),
        client.post(CUSTOMERS, a_request(), Request_Id=request_id),
    ):
        assert answer.headers.get_all("Request-Id") == [request_id]
    assert client.get("/nope", Request_Id=request_id).json()["request_id"] == request_id


@pytest.mark.parametrize("request_id", [" ", "x" * 65, "a b", "a/b", "é", "a,b", "<script>", "a\tb"])
def test_any_other_request_id_is_replaced(client: Client, request_id: str) -> None:
    answer = client.get("/nope", Request_Id=request_id)
    assert re.fullmatch("[A-Za-z0-9_.-]{1,64}", answer.header("Request-Id"))
    assert answer.header("Request-Id") != request_id
    assert answer.json()["request_id"] == answer.header("Request-Id")


def test_every_response_carries_a_request_id(client: Client, anonymous: Client, public: Client) -> None:
    """1.1: every response carries `Request-Id`, and no two the same."""
    customer = a_customer(client)
    answers = [
        client.get(at(customer)),
        client.get(at(customer), If_None_Match="*"),
        client.send("HEAD", at(customer)),
        client.get(CUSTOMERS),
        client.get("/nope"),
        client.send("DELETE", CUSTOMERS),
        client.post(CUSTOMERS, b"{"),
        client.post(CUSTOMERS, a_request(), Content_Type="text/plain"),
        anonymous.get(CUSTOMERS),
        public.get(CUSTOMERS),
        *(
            anonymous.get(path)
            for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs", "/docs/errors", "/nope")
        ),
    ]
    ids = [answer.header("Request-Id") for answer in answers]
    assert len(set(ids)) == len(ids)


# The wire itself


def test_pipelined_requests_are_answered_in_order(service: Service, client: Client) -> None:
    with raw(service.port) as connection:
        connection.sendall(b"".join(head_of(client, "GET", f"{CUSTOMERS}/nobody-{n}") for n in range(3)))
        answers = [pipelined(connection) for _ in range(3)]
    assert answers == [f"{CUSTOMERS}/nobody-{n}" for n in range(3)]


def pipelined(connection: socket.socket) -> str:
    """Read one answer from a connection that holds more, byte by byte, and return its `instance`."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length is not None
    body = b""
    while len(body) < int(length[1]):
        body += connection.recv(1)
    instance: str = json.loads(body)["instance"]
    return instance


def test_a_client_that_expects_100_continue_gets_it(service: Service, client: Client) -> None:
    body = json.dumps(a_request()).encode()
    head = head_of(
        client, "POST", CUSTOMERS, f"Content-Type: {JSON}", f"Content-Length: {len(body)}", "Expect: 100-continue"
    )
    with raw(service.port) as connection:
        connection.sendall(head)
        assert connection.recv(1024).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status == 201


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: -1"],
        ["Content-Length: five"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked", "Content-Length: 0"],
    ],
)
def test_a_request_whose_length_is_in_doubt_is_refused(service: Service, client: Client, lines: list[str]) -> None:
    """RFC 9112, 6.3: what two programs could read differently is refused, and the connection ends."""
    head = head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", *lines)
    answer = exchange(service.port, head + b"0\r\n\r\n" + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer is None or 400 <= answer.status < 500


def test_http_1_0_is_answered(service: Service, client: Client) -> None:
    head = head_of(client, "GET", CUSTOMERS).replace(b"HTTP/1.1", b"HTTP/1.0")
    answer = exchange(service.port, head)
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("garbage",
[b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50, b"\r\n" * 50, b"GET\r\n\r\n",
                                     b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100,
                                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])  # fmt: skip
def test_what_is_not_http_hurts_nobody(service: Service, client: Client, garbage: bytes) -> None:
    with raw(service.port) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert client.get("/health").status == 200
