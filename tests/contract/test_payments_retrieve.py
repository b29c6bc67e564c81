"""6: GET /billing/payments/{payment}: by id or reference, in which channel, and under which conditions."""

import re
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    BILL,
    EVERY_NOUN,
    PAYMENTS,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    at,
    on,
    owing,
    pay,
    refused,
)


def missing(answer: Answer) -> None:
    """Expect that there is no such payment."""
    assert (answer.status, answer.code) == (404, "payment_not_found"), answer.body


def refund(client: Client, payment: Json, **members: object) -> Answer:
    return client.post(f"{at(payment)}/refunds", members, Idempotency_Key=a_key())


@EVERY_NOUN
def test_a_payment_is_retrieved_by_either_name(client: Client, noun: Noun) -> None:
    """6: `GET /billing/payments/{payment}` 200, by its id or its reference, as it was answered when it was made."""
    payment = a_payment(client, external_reference=a_reference(), metadata={"a": "1"}, **on(owing(client, noun)))
    for name in ("id", "external_reference"):
        answer = client.get(f"{PAYMENTS}/{payment[name]}")
        assert (answer.status, answer.media_type(), answer.json()) == (200, "application/json", payment)
        assert list(answer.json()) == list(payment)


def test_a_payment_of_a_hundred_obligations_is_retrieved_whole(client: Client) -> None:
    customer = a_customer(client)["id"]
    parts = [{"bill": a_bill(client, customer=customer, amount_due=5)["id"], "amount": 5} for _ in range(100)]
    payment = a_payment(client, 500, applications=parts)
    assert client.get(at(payment)).json() == payment


def test_times_are_kept_to_the_microsecond(client: Client) -> None:
    """1.1: timestamps are ISO 8601 in UTC with a `Z`."""
    payment = a_payment(client, paid_at="2026-01-31T09:30:00.000001Z", **on(a_bill(client)))
    got = client.get(at(payment)).json()
    assert (got["paid_at"], got["created_at"]) == ("2026-01-31T09:30:00.000001Z", payment["created_at"])


# Channels


def test_of_several_channels_the_newest_is_retrieved_or_the_one_that_is_picked(client: Client) -> None:
    """6: by reference: the newest where several channels have it; `?channel=` picks, an empty one the one without."""
    reference, customer = a_reference(), a_customer(client, currency="ZAR")["id"]
    made = {
        channel: a_payment(client, customer=customer, external_reference=reference, channel=channel)
        for channel in ("bank", None, "shop_2", "a_mobile")
    }
    path = f"{PAYMENTS}/{reference}"
    assert client.get(path).json() == made["a_mobile"]
    for channel in ("bank", "shop_2", "a_mobile"):
        assert client.get(f"{path}?channel={channel}").json() == made[channel]
    for payment in made.values():
        assert client.get(at(payment)).json() == payment
    assert client.get(f"{path}?channel=").json() == made[None]
    missing(client.get(f"{path}?channel=post"))


def test_the_newest_has_no_channel_where_that_is_the_newest(client: Client) -> None:
    reference, customer = a_reference(), a_customer(client, currency="ZAR")["id"]
    old = a_payment(client, customer=customer, external_reference=reference, channel="bank")
    newest = a_payment(client, customer=customer, external_reference=reference)
    assert client.get(f"{PAYMENTS}/{reference}").json() == newest
    assert client.get(f"{PAYMENTS}/{reference}?channel=bank").json() == old


def test_a_channel_that_one_payment_has_picks_it(client: Client) -> None:
    """6: also by its id."""
    payment = a_payment(client, external_reference=a_reference(), channel="bank", **on(a_bill(client)))
    for name in ("id", "external_reference"):
        assert client.get(f"{PAYMENTS}/{payment[name]}?channel=bank").json() == payment


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        *((f"channel={value}", "channel") for value in ("Bank", "a-b", "a%20b", "a%0A", "%C3%A9", "x" * 41)),
        ("channel=a&channel=a", "channel"),
        ("expand=bill", "expand"),
        ("Channel=bank", "Channel"),
    ],
)
def test_what_is_no_parameter_of_a_retrieve_is_400(client: Client, query: str, pointer: str) -> None:
    """1.1: a query parameter that is unknown, given twice or malformed is 400, and named."""
    payment = a_payment(client, **on(a_bill(client)))
    refused(client.get(f"{at(payment)}?{query}"), 400, f"query: {pointer}")


# Names


def test_the_id_is_tried_first(client: Client) -> None:
    """1.3: where a reference is another payment's id, that id names the payment that has it as its id."""
    bill = a_bill(client)
    payment = a_payment(client, **on(bill))
    namesake = a_payment(client, external_reference=payment["id"], **on(bill))
    assert client.get(at(payment)).json() == payment
    assert client.get(at(namesake)).json() == namesake
    found = client.get(f"{PAYMENTS}?external_reference={payment['id']}").json()["data"]
    assert found == [namesake]


def test_a_payment_that_looks_like_no_payment_of_ours_is_found_by_its_reference(client: Client) -> None:
    customer = a_customer(client, currency="ZAR")
    for reference in ("pay_0000000000000000000001", "pay_-", "pay_" + "7" * 251):
        payment = a_payment(client, external_reference=reference, **on(customer))
        assert client.get(f"{PAYMENTS}/{reference}").json() == payment


def test_a_reference_that_looks_like_an_id_has_channels_too(client: Client) -> None:
    """1.3, 6: no payment has it as its id, so it is a reference, of which `?channel=` picks."""
    reference, customer = f"pay_{a_key().replace('-', '')[:22]}", a_customer(client, currency="ZAR")
    made = {
        channel: a_payment(client, external_reference=reference, channel=channel, **on(customer))
        for channel in ("bank", None)
    }
    assert client.get(f"{PAYMENTS}/{reference}").json() == made[None]
    assert client.get(f"{PAYMENTS}/{reference}?channel=bank").json() == made["bank"]


@pytest.mark.parametrize(
    "name",
    ["nobody", "pay_nobody", "pay-", "pay_0000000000000000000000", "pay_" + "1" * 300, "x" * 256, "%00", "a%00b",
     "%0A", "%FF%FE", quote("é"), "a%2Fb", "%2e%2e", "'%20OR%20'1'='1", "null", "~"],
)  # fmt: skip
def test_a_path_that_names_no_payment_is_not_found(client: Client, name: str) -> None:
    """1.5: 404 `payment_not_found`: no such payment, however strange the name."""
    assert client.send("HEAD", f"{PAYMENTS}/{name}").status == 404
    if name not in ("a%2Fb", "%2e%2e"):  # those are other routes
        missing(client.get(f"{PAYMENTS}/{name}"))


@EVERY_NOUN
def test_a_payment_and_what_it_paid_do_not_go_by_each_others_names(client: Client, noun: Noun) -> None:
    """1.3: a reference is unique per kind."""
    thing = owing(client, noun)
    payment = a_payment(client, external_reference=a_reference(), **on(thing))
    for name in (thing["id"], thing["external_reference"], payment["applications"][0]["id"]):
        missing(client.get(f"{PAYMENTS}/{name}"))
    for name in (payment["id"], payment["external_reference"]):
        answer = client.get(f"{noun.path}/{name}")
        assert (answer.status, answer.code) == (404, "not_found")


def test_a_channel_is_no_part_of_a_name(client: Client) -> None:
    """6: id, or reference: only `?channel=` picks, whatever the path is made to look like."""
    customer, reference = a_customer(client, currency="ZAR"), a_reference()
    for channel in ("bank", None):
        payment = a_payment(client, external_reference=reference, channel=channel, **on(customer))
        for mark in (":", "/", "|", ".", "-", "_", "%3A", "%2F", "%20", "@", "=", ","):
            for name in (f"{channel or ''}{mark}{reference}", f"{reference}{mark}{channel or ''}"):
                path = f"{PAYMENTS}/{name}"
                back = client.post(f"{path}/refunds", {"amount": 1}, Idempotency_Key=a_key())
                assert (client.get(path).status, back.status) == (404, 404), name
        assert client.get(at(payment)).json() == payment


def test_what_was_refused_is_no_payment(client: Client) -> None:
    reference = a_reference()
    assert pay(client, 1001, external_reference=reference, **on(a_bill(client))).status == 422
    missing(client.get(f"{PAYMENTS}/{reference}"))


# Conditions


def test_a_payment_has_an_etag_and_a_last_modified(client: Client) -> None:
    """1.1: `ETag` (strong) and `Last-Modified`, on every answer that shows the payment."""
    created = pay(client, **on(a_bill(client)))
    got, head = client.get(at(created.json())), client.send("HEAD", at(created.json()))
    for answer in (created, got, head):
        assert re.fullmatch('"[\x21\x23-\x7e]+"', answer.etag)
        assert (answer.etag, answer.header("Last-Modified")) == (created.etag, created.header("Last-Modified"))
        assert answer.header("Last-Modified").endswith(" GMT")
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", str(len(got.body)))


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_if_none_match_gives_304_until_the_payment_changes(client: Client, form: str) -> None:
    """1.1: `If-None-Match` gives 304; what takes a payment back changes it."""
    created = pay(client, **on(a_bill(client)))
    payment, condition = created.json(), form.format(created.etag)
    for path in (at(payment), at(payment)):
        answer = client.get(path, If_None_Match=condition)
        assert (answer.status, answer.body, answer.etag) == (304, b"", created.etag)
    assert refund(client, payment, amount=40).status == 201
    (application,) = payment["applications"]
    applications = [application | {"amount_taken_back": 40}]
    changed = {"status": "partially_refunded", "amount_refunded": 40, "applications": applications}
    if form != "*":
        answer = client.get(at(payment), If_None_Match=condition)
        assert (answer.status, answer.json()) == (200, payment | changed)
        assert answer.etag != created.etag


def test_what_becomes_of_a_bill_leaves_the_version_of_its_payment_alone(client: Client) -> None:
    """1.1: the object's version: what it paid may change as it will."""
    bill = owing(client, BILL)
    first = pay(client, **on(bill))
    a_payment(client, **on(bill))
    client.patch(at(bill), {"metadata": {"a": "1"}})
    assert client.get(at(first.json()), If_None_Match=first.etag).status == 304


# Who may see it


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_another_merchants_or_modes_payment_is_not_found(
    client: Client, live: Client, other: Client, name: str
) -> None:
    """1.2, 1.5: no such payment in this merchant and mode, on any route."""
    payment = a_payment(client, external_reference=a_reference(), metadata={"secret": "words"}, **on(a_bill(client)))
    for stranger in (live, other):
        for answer in (
            stranger.get(f"{PAYMENTS}/{payment[name]}"),
            stranger.get(f"{PAYMENTS}/{payment[name]}", If_None_Match='"1"'),
            stranger.post(f"{PAYMENTS}/{payment[name]}/refunds", {}, Idempotency_Key=a_key()),
        ):
            missing(answer)
            assert b"words" not in answer.body
    assert client.get(at(payment)).json() == payment


def test_the_same_reference_names_a_payment_of_each_merchant_and_mode(
    client: Client, live: Client, other: Client
) -> None:
    """1.2: test and live data never meet."""
    reference, callers = a_reference(), (client, live, other)
    payments = [a_payment(caller, external_reference=reference, **on(a_bill(caller))) for caller in callers]
    for caller, payment in zip(callers, payments, strict=True):
        assert caller.get(f"{PAYMENTS}/{reference}").json() == payment


def test_a_retrieve_needs_a_secret_key(client: Client, public: Client, anonymous: Client) -> None:
    """1.2: every operation in this file needs a secret key unless it says otherwise."""
    path = at(a_payment(client, **on(a_bill(client))))
    assert [caller.get(path).status for caller in (public, anonymous)] == [403, 401]


def test_last_modified_is_when_it_was_recorded_and_not_when_it_was_paid(client: Client) -> None:
    """1.1: `Last-Modified` carries the time of the version."""
    answer = pay(client, paid_at="2020-01-01T00:00:00Z", **on(a_bill(client)))
    modified = datetime.strptime(answer.header("Last-Modified"), "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007
    created = datetime.fromisoformat(answer.json()["created_at"]).replace(tzinfo=None)
    assert timedelta(0) <= created - modified < timedelta(seconds=1)
