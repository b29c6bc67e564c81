"""6: POST and GET /billing/payments/{payment}/refunds, and what is the same of reversals."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    CUSTOMER,
    EITHER_WAY,
    LARGEST,
    PAYMENTS,
    REFUND,
    REVERSAL,
    RULES,
    Noun,
    Taking,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    as_it_stands,
    at,
    events,
    moment,
    pay,
    refused,
    transfers,
)
from tests.contract.service import Database, Service

OVER: Final = RULES | {"overpayment_allowed": True}


def paid_bill(client: Client, amount: int = 1000, **members: object) -> tuple[Json, Json]:
    """Make a bill of 1000 ZAR and pay it; return both as they stood."""
    bill = a_bill(client, **members)
    return bill, a_payment(client, amount, bill=bill["id"])


def three(client: Client) -> tuple[list[Json], Json]:
    """Make three bills and pay 100, 200 and 300 to them in one payment."""
    bills = [a_bill(client) for _ in range(3)]
    applications = [{"bill": bill["id"], "amount": 100 * n} for n, bill in enumerate(bills, 1)]
    return bills, a_payment(client, 600, applications=applications)


def shares(taken: Json) -> list[tuple[str, int]]:
    return [(share["id"], share["amount"]) for share in taken["applications"]]


def money(bill: Json) -> tuple[int, int, str]:
    return bill["amount_paid"], bill["amount_remaining"], bill["status"]


def standing(client: Client, payment: Json) -> tuple[str, int, int]:
    now = as_it_stands(client, payment)
    moving = {name: now[name] for name in ("status", "amount_refunded", "amount_reversed", "applications")}
    assert now == payment | moving
    assert bare(now) == bare(payment)
    taken_back = sum(each.get("amount_taken_back", 0) for each in now["applications"])
    assert taken_back == now["amount_refunded"] + now["amount_reversed"]
    return now["status"], now["amount_refunded"], now["amount_reversed"]


def bare(payment: Json) -> list[Json]:
    """Give the applications of a payment without what was taken back of them."""
    return [{name: each[name] for name in each if name != "amount_taken_back"} for each in payment["applications"]]


def payment_not_found(answer: Answer) -> bool:
    return (answer.status, answer.code) == (404, "payment_not_found")


# All of it


@EITHER_WAY
def test_all_that_is_left_is_taken_back_where_no_amount_is_given(client: Client, taking: Taking) -> None:
    """6: `amount`, default all that is left; the bill is owed again."""
    bill, payment = paid_bill(client)
    answer = taking.create(client, payment)
    taken = answer.json()
    expected = {
        "id": taken["id"],
        "payment_id": payment["id"],
        "amount": 1000,
        "currency": "ZAR",
        "applications": [{"id": payment["applications"][0]["id"], "amount": 1000, "bill_id": bill["id"]}],
        "created_at": taken["created_at"],
    }
    if taking is REVERSAL:
        expected |= {"reason": "error", "occurred_at": taken["created_at"]}
    assert (answer.status, taken) == (201, expected)
    assert as_it_stands(client, bill) == bill
    assert standing(client, payment) == (taking.verb, *((1000, 0) if taking is REFUND else (0, 1000)))


@EITHER_WAY
def test_its_id_and_its_place_are_its_own(client: Client, taking: Taking) -> None:
    """6: a resource with an id, retrieved under the payment; 2: with `Location`."""
    _, payment = paid_bill(client)
    answer = taking.create(client, payment, amount=100)
    made = answer.json()
    prefix, _, rest = made["id"].partition("_")
    assert (f"{prefix}_", len(rest), rest.isalnum()) == (taking.prefix, 22, True)
    assert answer.header("Location") == f"{taking.at(payment)}/{made['id']}"
    got = client.get(answer.header("Location"))
    assert (got.status, got.json(), got.etag) == (200, made, answer.etag)
    age = datetime.now(UTC) - moment(made["created_at"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=30)


def test_a_refund_works_with_no_body_and_no_media_type(client: Client) -> None:
    """6: and so with a body of no bytes, or an object of no members."""
    bodies: list[tuple[bytes | None, dict[str, str]]] = [
        (None, {}),
        (b"", {"Content-Length": "0"}),
        (b"", {"Content-Length": "0", "Content-Type": JSON}),
        (b"{}", {"Content-Type": JSON}),
        (b'{"amount": null, "reason": null, "applications": null, "metadata": null}', {"Content-Type": JSON}),
    ]
    for body, headers in bodies:
        _, payment = paid_bill(client)
        answer = client.send("POST", REFUND.at(payment), body, headers | {"Idempotency-Key": a_key()})
        assert (answer.status, answer.json()["amount"]) == (201, 1000), answer.body


@EITHER_WAY
def test_it_says_all_that_it_was_given(client: Client, taking: Taking) -> None:
    """6: `reason`, `external_reference`, `metadata`; what is not set is absent."""
    _, payment = paid_bill(client)
    reference, metadata = a_reference(), {"ticket": "T-1", "empty": ""}
    reason = "Paid twice, says Zoë" if taking is REFUND else "dishonoured"
    made = taking.make(client, payment, amount=400, reason=reason, external_reference=reference, metadata=metadata)
    assert (made["reason"], made["external_reference"], made["metadata"]) == (reason, reference, metadata)
    assert client.get(f"{taking.at(payment)}/{reference}").json() == made
    assert "metadata" not in taking.make(client, payment, amount=1, metadata={})


def test_a_reason_of_a_refund_is_free_text(client: Client) -> None:
    """6: up to 255 characters."""
    _, payment = paid_bill(client)
    assert REFUND.make(client, payment, amount=1, reason="x" * 255)["reason"] == "x" * 255
    refused(REFUND.create(client, payment, amount=1, reason="x" * 256), 400, "/reason")


# A part of it


@EITHER_WAY
def test_a_payment_is_taken_back_in_parts_until_nothing_is_left(client: Client, taking: Taking) -> None:
    """6: refused (409) only beyond what the payment still holds."""
    bill, payment = paid_bill(client)
    for amount, paid in ((1, 999), (400, 599), (598, 1)):
        assert taking.make(client, payment, amount=amount)["amount"] == amount
        assert money(as_it_stands(client, bill)) == (paid, 1000 - paid, "unpaid")
        assert as_it_stands(client, payment)["status"] == f"partially_{taking.verb}"
    refused(taking.create(client, payment, amount=2), 409, "/amount")
    assert taking.make(client, payment)["amount"] == 1
    assert as_it_stands(client, payment)["status"] == taking.verb
    for members in ({}, {"amount": 1}, {"applications": [{"id": payment["applications"][0]["id"], "amount": 1}]}):
        answer = taking.create(client, payment, **members)
        assert (answer.status, answer.code) == (409, "conflict")
    assert as_it_stands(client, bill) == bill


@EITHER_WAY
@pytest.mark.parametrize("amount", [1001, 999_999_999_999])
def test_no_more_is_taken_back_than_the_payment_holds(client: Client, taking: Taking, amount: int) -> None:
    """6: refused (409) beyond what the payment still holds; then nothing has happened."""
    bill, payment = paid_bill(client)
    before = as_it_stands(client, bill)
    refused(taking.create(client, payment, amount=amount), 409, "/amount")
    assert (as_it_stands(client, bill), as_it_stands(client, payment)) == (before, payment)


@pytest.mark.parametrize(
    ("takings", "expected"),
    [
        ([(REFUND, 100)], ("partially_refunded", 100, 0)),
        ([(REVERSAL, 100)], ("partially_reversed", 0, 100)),
        ([(REFUND, 100), (REVERSAL, 200)], ("partially_reversed", 100, 200)),
        ([(REVERSAL, 200), (REFUND, 100)], ("partially_refunded", 100, 200)),
        ([(REFUND, 100), (REVERSAL, 900)], ("reversed", 100, 900)),
        ([(REVERSAL, 999), (REFUND, 1)], ("refunded", 1, 999)),
        ([(REFUND, 1), (REVERSAL, 1), (REFUND, 1)], ("partially_refunded", 2, 1)),
    ],
)
def test_the_status_of_a_payment_follows_what_was_taken_back_last(
    client: Client, takings: list[tuple[Taking, int]], expected: tuple[str, int, int]
) -> None:
    """6: where both happened, by the last; the amounts add up, each for itself."""
    bill, payment = paid_bill(client)
    for taking, amount in takings:
        taking.make(client, payment, amount=amount)
    left = 1000 - sum(expected[1:])
    assert standing(client, payment) == expected
    assert money(as_it_stands(client, bill))[0] == left
    if left:
        refused(REFUND.create(client, payment, amount=left + 1), 409, "/amount")
        assert REVERSAL.make(client, payment)["amount"] == left


@EITHER_WAY
def test_an_overpaid_bill_stays_paid_until_something_remains(client: Client, taking: Taking) -> None:
    """4: `unpaid` until nothing remains; 6: both can reopen a bill."""
    bill, payment = paid_bill(client, 1500, payment_rules=OVER)
    for amount, expected in ((300, (1200, 0, "paid")), (200, (1000, 0, "paid")), (1, (999, 1, "unpaid"))):
        taking.make(client, payment, amount=amount)
        assert money(as_it_stands(client, bill)) == expected
    assert a_payment(client, 100, bill=bill["id"])["status"] == "succeeded"
    assert money(as_it_stands(client, bill)) == (1099, 0, "paid")


@EITHER_WAY
@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
@pytest.mark.parametrize("balance", [500, 0, -500])
def test_a_tracked_balance_rises_again(client: Client, taking: Taking, noun: Noun, balance: int) -> None:
    """6: both raise what is owed again, whatever the balance is."""
    thing = noun.make(client, currency="ZAR", balance=balance, payment_rules=OVER)
    payment = a_payment(client, 300, **{noun.name: thing["id"]})
    made = taking.make(client, payment, amount=120)
    assert made["applications"] == [
        {"id": payment["applications"][0]["id"], "amount": 120, f"{noun.name}_id": thing["id"]}
    ]
    assert as_it_stands(client, thing) == thing | {"balance": balance - 180}
    taking.make(client, payment)
    assert as_it_stands(client, thing) == thing


@EITHER_WAY
def test_a_balance_that_nobody_tracks_keeps_its_total(client: Client, database: Database, taking: Taking) -> None:
    """6: where a balance is not tracked but a currency is set, the running total still runs."""
    account = an_account(client, currency="ZAR")
    payment = a_payment(client, 300, account=account["id"])
    taking.make(client, payment, amount=100)
    assert as_it_stands(client, account) == account
    assert [row[3:5] for row in transfers(database, account)] == [(-300, -300), (100, -200)]


@EITHER_WAY
def test_it_is_one_transfer_of_its_own(client: Client, database: Database, taking: Taking) -> None:
    """Architecture 4: a refund is owed to the payer, a reversal comes out of what its channel was to clear."""
    for channel in (None, "eft"):
        bill = a_bill(client)
        members = {"channel": channel} if channel else {}
        payment = a_payment(client, 1000, bill=bill["id"], **members)
        taking.make(client, payment, amount=300)
        clearing = f"clearing:{channel}" if channel else "clearing"
        other = "refunds_payable" if taking is REFUND else clearing
        assert transfers(database, bill)[1:] == [
            ("payment", clearing, "receivable", -1000, 0, "ZAR"),
            (taking.name, "receivable", other, 300, 300, "ZAR"),
        ]


@EITHER_WAY
def test_the_payment_rules_are_ignored(client: Client, taking: Taking) -> None:
    """6: no rule of a minimum, of all or nothing, or that there be rules at all."""
    strict = RULES | {"min_amount": 500, "max_amount": 1000, "underpayment_allowed": False}
    bill, payment = paid_bill(client, payment_rules=strict)
    assert taking.make(client, payment, amount=1)["amount"] == 1
    client.merge(at(bill), {"payment_rules": None})
    assert taking.make(client, payment, amount=2)["amount"] == 2
    assert money(as_it_stands(client, bill)) == (997, 3, "unpaid")


@EITHER_WAY
def test_a_balance_never_rises_beyond_its_bound(client: Client, taking: Taking) -> None:
    """2: within 2^53 - 1 either way: what would pass it is refused by the state, and nothing has happened."""
    account = an_account(client, currency="ZAR", balance=1000)
    payment = a_payment(client, 1000, account=account["id"])
    client.patch(at(account), {"balance": LARGEST - 10})
    before = as_it_stands(client, account)
    requests: list[Json] = [{}, {"amount": 11}]
    for members in requests:
        answer = taking.create(client, payment, **members)
        assert (answer.status, answer.code) == (409, "conflict")
    assert (as_it_stands(client, account), as_it_stands(client, payment)) == (before, payment)
    taking.make(client, payment, amount=10)
    assert as_it_stands(client, account)["balance"] == LARGEST


# Which applications


@EITHER_WAY
def test_the_newest_application_is_taken_back_first(client: Client, taking: Taking) -> None:
    """6: the newest application first, unless `applications` says otherwise."""
    bills, payment = three(client)
    first, second, third = (application["id"] for application in payment["applications"])
    for amount, expected in ((50, [(third, 50)]), (300, [(third, 250), (second, 50)]), (200, None)):
        made = taking.make(client, payment, amount=amount)
        assert shares(made) == (expected or [(second, 150), (first, 50)])
    assert [as_it_stands(client, bill)["amount_paid"] for bill in bills] == [50, 0, 0]
    assert shares(taking.make(client, payment)) == [(first, 50)]


@EITHER_WAY
def test_a_request_may_say_what_to_take_of_which_application(client: Client, taking: Taking) -> None:
    """6: `applications` (`{"id": "ob_…", "amount"}`); `amount` may be left out, or be their sum."""
    bills, payment = three(client)
    first, second, third = (application["id"] for application in payment["applications"])
    wanted = [{"id": first, "amount": 100}, {"id": third, "amount": 1}]
    made = taking.make(client, payment, applications=wanted)
    assert (made["amount"], sorted(shares(made))) == (101, sorted([(first, 100), (third, 1)]))
    assert [share["bill_id"] for share in sorted(made["applications"], key=lambda share: share["amount"])] == [
        bills[2]["id"],
        bills[0]["id"],
    ]
    made = taking.make(client, payment, amount=150, applications=[{"id": second, "amount": 150}])
    assert shares(made) == [(second, 150)]
    assert [as_it_stands(client, bill)["amount_paid"] for bill in bills] == [0, 50, 299]
    assert shares(taking.make(client, payment)) == [(third, 299), (second, 50)]


@EITHER_WAY
def test_no_more_is_taken_of_an_application_than_it_holds(client: Client, taking: Taking) -> None:
    """6: 409, also where the payment as a whole holds enough; all of it or nothing."""
    bills, payment = three(client)
    first, second, third = (application["id"] for application in payment["applications"])
    taking.make(client, payment, applications=[{"id": first, "amount": 60}])
    wanted = [{"id": third, "amount": 10}, {"id": first, "amount": 41}, {"id": second, "amount": 200}]
    refused(taking.create(client, payment, applications=wanted), 409, "/applications/1/amount")
    wanted[2]["amount"] = 201
    answer = taking.create(client, payment, applications=wanted)
    refused(answer, 409, "/applications/1/amount", "/applications/2/amount")
    assert [as_it_stands(client, bill)["amount_paid"] for bill in bills] == [40, 200, 300]


@EITHER_WAY
def test_an_application_of_another_payment_is_not_found(client: Client, taking: Taking) -> None:
    """1.3: an object named in a body that does not exist is 404."""
    _, payment = paid_bill(client)
    _, another = paid_bill(client)
    own, strange = (each["applications"][0]["id"] for each in (payment, another))
    for name in (strange, "ob_0000000000000000000000", payment["id"]):
        answer = taking.create(client, payment, applications=[{"id": name, "amount": 1}])
        refused(answer, 404, "/applications/0/id")
    both = [{"id": own, "amount": 1}, {"id": strange, "amount": 1}]
    refused(taking.create(client, payment, applications=both), 404, "/applications/1/id")
    assert (as_it_stands(client, payment), as_it_stands(client, another)) == (payment, another)


@EITHER_WAY
def test_applications_must_add_up_and_be_distinct(client: Client, taking: Taking) -> None:
    """6: as those of a payment: they add up to `amount`, all distinct."""
    _, payment = three(client)
    first, second, _ = (application["id"] for application in payment["applications"])
    wanted = [{"id": first, "amount": 10}, {"id": second, "amount": 20}]
    for amount in (29, 31, 1):
        refused(taking.create(client, payment, amount=amount, applications=wanted), 400, "/amount")
    twice = taking.create(client, payment, applications=[{"id": first, "amount": 10}, {"id": first, "amount": 20}])
    assert (twice.status, [pointer[:15] for pointer in twice.pointers]) == (400, ["/applications/1"])
    assert as_it_stands(client, payment) == payment


def test_a_payment_of_a_hundred_bills_is_taken_back_whole(client: Client) -> None:
    """6: 1-100 applications; all of them, or none where one more cent is asked for."""
    customer = a_customer(client)["id"]
    bills = [a_bill(client, customer=customer, amount_due=5) for _ in range(100)]
    payment = a_payment(client, 500, applications=[{"bill": bill["id"], "amount": 5} for bill in bills])
    ids = [application["id"] for application in payment["applications"]]
    wanted = [{"id": name, "amount": 5} for name in ids]
    refused(
        REFUND.create(client, payment, applications=[*wanted[:99], {"id": ids[99], "amount": 6}]),
        409,
        "/applications/99/amount",
    )
    refused(REFUND.create(client, payment, applications=[*wanted, {"id": "ob_x", "amount": 5}]), 400, "/applications")
    assert shares(REFUND.make(client, payment)) == [(name, 5) for name in reversed(ids)]
    assert client.get(f"/billing/bills?customer={customer}&limit=100").json()["data"] == bills[::-1]


# What is no request


FAULTY: Final[dict[str, list[object]]] = {
    "amount": [0, -1, 10**12, 2**63, 1.0, 0.5, "5", "", True, [], {}],
    "external_reference": ["", "a b", "é", "x" * 256, "a\n", 5, []],
    "reason": ["x" * 256, 5, True, [], {}],
    "metadata": [[], "x", {str(n): "x" for n in range(21)}],
    "applications": [[], {}, "ob_x", 5],
    **{name: ["x"] for name in ("id", "payment_id", "status", "bill", "amonut", "created_at")},
}
DEEPER: Final[list[tuple[Json, str]]] = [
    ({"metadata": {"a": 5}}, "/metadata/a"),
    ({"metadata": {"x" * 41: "a"}}, f"/metadata/{'x' * 41}"),
    ({"applications": [{"amount": 1}]}, "/applications/0/id"),
    ({"applications": [{"id": 5, "amount": 1}]}, "/applications/0/id"),
    ({"applications": [{"id": "ob_x"}]}, "/applications/0/amount"),
    ({"applications": [{"id": "ob_x", "amount": 0}]}, "/applications/0/amount"),
    ({"applications": [{"id": "ob_x", "amount": 1.0}]}, "/applications/0/amount"),
    ({"applications": [{"id": "ob_x", "amount": 1, "bill": "x"}]}, "/applications/0/bill"),
]


@EITHER_WAY
@pytest.mark.parametrize(
    ("members", "pointer"),
    [*DEEPER, *(({name: value}, f"/{name}") for name, values in FAULTY.items() for value in values)],
)
def test_a_faulty_request_is_400(client: Client, faulty: Json, taking: Taking, members: Json, pointer: str) -> None:
    """1.5, 6: each fault is named; nothing has happened."""
    refused(taking.create(client, faulty, **members), 400, pointer)


@pytest.fixture(scope="module")
def faulty(client: Client) -> Json:
    """A payment of which nothing is ever taken back."""
    return paid_bill(client)[1]


@EITHER_WAY
def test_every_fault_is_named(client: Client, faulty: Json, taking: Taking) -> None:
    """1.5: every fault found, not only the first, the header too."""
    body = {"amount": 0, "reason": 5, "external_reference": "a b", "metadata": {"a": 1}, "wrong": 1}
    answer = client.post(taking.at(faulty), body, Idempotency_Key=a_key())
    refused(answer, 400, "/amount", "/reason", "/external_reference", "/metadata/a", "/wrong")
    assert as_it_stands(client, faulty) == faulty


@pytest.mark.parametrize(
    "body",
    [b"{", b"null", b"[]", b'"x"', b"5", b"refund", b"\xff", b'{"amount":1,"amount":1}', b'{"reason":"\\u0000"}'],
)
@EITHER_WAY
def test_what_is_no_object_is_400(client: Client, faulty: Json, taking: Taking, body: bytes) -> None:
    """1.1: malformed JSON, no object, a member twice, U+0000."""
    answer = client.post(taking.at(faulty), body, Idempotency_Key=a_key())
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert as_it_stands(client, faulty) == faulty


@pytest.mark.parametrize("media_type", ["", "text/plain", MERGE_PATCH, "application/x-www-form-urlencoded"])
@EITHER_WAY
def test_a_body_has_a_media_type(client: Client, faulty: Json, taking: Taking, media_type: str) -> None:
    """1.1: a body with no media type, or another one, is 415."""
    body = taking.needs | {"amount": 1}
    answer = client.post(taking.at(faulty), body, Idempotency_Key=a_key(), Content_Type=media_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert as_it_stands(client, faulty) == faulty


@EITHER_WAY
def test_an_idempotency_key_is_required(client: Client, faulty: Json, taking: Taking) -> None:
    """1.4: required where money moves: every POST under `/billing/payments`; before the path's object."""
    for payment in (faulty, faulty | {"id": "pay_0000000000000000000000"}):
        answer = client.post(taking.at(payment), taking.needs)
        refused(answer, 400, "header: Idempotency-Key")
    assert as_it_stands(client, faulty) == faulty


# References


@EITHER_WAY
def test_a_reference_is_unique_per_kind(client: Client, live: Client, other: Client, taking: Taking) -> None:
    """1.3: unique per kind of object and per mode; a duplicate gets 409 `conflict`, whichever payment it is of."""
    reference = a_reference()
    _, payment = paid_bill(client)
    _, another = paid_bill(client)
    taking.make(client, payment, amount=1, external_reference=reference)
    for each in (payment, another):
        for amount in (1, 5000):  # the reference is told before what is held
            answer = taking.create(client, each, amount=amount, external_reference=reference)
            refused(answer, 409, "/external_reference")
    assert as_it_stands(client, another) == another
    kin = REVERSAL if taking is REFUND else REFUND
    assert kin.make(client, payment, amount=1, external_reference=reference)["external_reference"] == reference
    for stranger in (live, other):
        assert taking.make(stranger, paid_bill(stranger)[1], external_reference=reference)["amount"] == 1000


@EITHER_WAY
def test_of_concurrent_requests_with_one_reference_one_is_done(
    client: Client, two_workers: Service, taking: Taking
) -> None:
    """1.3: unique, whoever comes at the same moment."""
    caller, reference = two_workers.client(client.key), a_reference()
    payments = [paid_bill(client)[1] for _ in range(4)]

    def take(n: int) -> int:
        return taking.create(caller, payments[n % 4], amount=1, external_reference=reference).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(take, range(8)))
    caller.close()
    assert sorted(statuses) == [201] + [409] * 7
    assert sum(as_it_stands(client, payment)[taking.counted] for payment in payments) == 1


@EITHER_WAY
def test_a_payment_is_named_by_its_reference_and_its_channel(client: Client, taking: Taking) -> None:
    """1.3, 6: id, or reference: the newest where several channels have it; `?channel=` picks."""
    reference, bill = a_reference(), a_bill(client)
    channels = ({"channel": "eft"}, {"channel": "card"})
    eft, card = (
        a_payment(client, 300, bill=bill["id"], external_reference=reference, **channel) for channel in channels
    )
    path, headers = f"{PAYMENTS}/{reference}/{taking.path}", {"Idempotency_Key": a_key()}
    newest = client.post(path, taking.needs | {"amount": 1}, **headers)
    picked = client.post(f"{path}?channel=eft", taking.needs | {"amount": 2}, Idempotency_Key=a_key())
    assert [answer.json()["payment_id"] for answer in (newest, picked)] == [card["id"], eft["id"]]
    assert client.get(f"{path}?channel=eft").json()["data"] == [picked.json()]
    assert client.get(path).json()["data"] == [newest.json()]
    assert client.get(f"{path}/{picked.json()['id']}?channel=eft").json() == picked.json()
    assert payment_not_found(client.get(f"{path}?channel=cash"))
    assert payment_not_found(client.post(f"{path}?channel=cash", taking.needs, Idempotency_Key=a_key()))


# Unknown


@EITHER_WAY
def test_an_unknown_payment_is_not_found(client: Client, taking: Taking) -> None:
    """1.5: 404 `payment_not_found`, before validation."""
    bill = a_bill(client)
    for name in (
        "pay_0000000000000000000000",
        a_reference(),
        bill["id"],
        bill["external_reference"],
        "check",
        "a%20b",
        "%00",
    ):
        path = f"{PAYMENTS}/{name}/{taking.path}"
        for answer in (
            client.send("POST", path, headers={"Idempotency-Key": a_key()}),
            client.post(path, {"amount": 0, "wrong": 1}, Idempotency_Key=a_key()),
            client.get(path),
            client.get(f"{path}/{taking.prefix}0000000000000000000000"),
        ):
            assert payment_not_found(answer), (name, answer.body)


@EITHER_WAY
def test_it_is_found_under_its_own_payment_alone(client: Client, taking: Taking) -> None:
    """1.5: 404 `not_found`, where the payment has none of that name."""
    _, payment = paid_bill(client)
    _, another = paid_bill(client)
    made = taking.make(client, payment, amount=1, external_reference=a_reference())
    kin = REVERSAL if taking is REFUND else REFUND
    for path in (
        f"{taking.at(another)}/{made['id']}",
        f"{taking.at(another)}/{made['external_reference']}",
        f"{kin.at(payment)}/{made['id']}",
        f"{kin.at(payment)}/{made['external_reference']}",
        f"{taking.at(payment)}/{taking.prefix}0000000000000000000000",
        f"{taking.at(payment)}/{a_reference()}",
        f"{taking.at(payment)}/{payment['id']}",
        f"{taking.at(payment)}/a%20b",
    ):
        answer = client.get(path)
        assert (answer.status, answer.code) == (404, "not_found"), path


ROUTES: dict[str, Callable[[Client, Taking, Json, Json], Answer]] = {
    "create": lambda caller, taking, payment, made: taking.create(caller, payment, amount=1),
    "list": lambda caller, taking, payment, made: caller.get(taking.at(payment)),
    "retrieve": lambda caller, taking, payment, made: caller.get(f"{taking.at(payment)}/{made['id']}"),
}


@EITHER_WAY
@pytest.mark.parametrize("send", ROUTES.values(), ids=[*ROUTES])
def test_who_may_see_it(
    client: Client, live: Client, other: Client, public: Client, anonymous: Client, taking: Taking,
    send: Callable[[Client, Taking, Json, Json], Answer],
) -> None:  # fmt: skip
    """1.2: only its merchant, in its mode, with a secret key."""
    _, payment = paid_bill(client)
    made = taking.make(client, payment, amount=1)
    before = as_it_stands(client, payment)
    for stranger in (live, other):
        assert payment_not_found(send(stranger, taking, payment, made))
    assert (send(public, taking, payment, made).status, send(anonymous, taking, payment, made).status) == (403, 401)
    assert as_it_stands(client, payment) == before


# Versions and keys


@EITHER_WAY
def test_the_etags_of_the_payment_and_of_what_it_paid_change(client: Client, taking: Taking) -> None:
    """1.1: `ETag` is the object's version; that of what was taken back never changes."""
    bill, payment = paid_bill(client)
    before = [client.get(at(thing)) for thing in (payment, bill)]
    made = taking.create(client, payment, amount=1)
    after = [client.get(at(thing)) for thing in (payment, bill)]
    assert all(old.etag != new.etag for old, new in zip(before, after, strict=True))
    assert client.get(at(payment), If_None_Match=before[0].etag).status == 200
    assert client.get(at(payment), If_None_Match=after[0].etag).status == 304
    taking.make(client, payment)
    got = client.get(made.header("Location"))
    assert (got.body, got.etag, got.header("Last-Modified")) == (
        made.body,
        made.etag,
        made.header("Last-Modified"),
    )
    assert client.get(made.header("Location"), If_None_Match=made.etag).status == 304


@EITHER_WAY
def test_it_takes_if_match_of_the_payment(client: Client, taking: Taking) -> None:
    """1.1: 412 where it is stale, before validation and state."""
    _, payment = paid_bill(client)
    path, made = taking.at(payment), client.get(at(payment)).etag
    first = client.post(path, taking.needs | {"amount": 1}, Idempotency_Key=a_key(), If_Match=made)
    assert first.status == 201
    for body in (taking.needs | {"amount": 1}, {"amount": 0}, taking.needs | {"amount": 5000}):
        answer = client.post(path, body, Idempotency_Key=a_key(), If_Match=made)
        assert (answer.status, answer.code) == (412, "precondition_failed")
    assert as_it_stands(client, payment)[taking.counted] == 1


@EITHER_WAY
def test_a_retry_with_its_key_is_the_first_one_again(client: Client, database: Database, taking: Taking) -> None:
    """1.4: the first request's status and body are kept and replayed; nothing happens twice."""
    bill, payment = paid_bill(client)
    key = a_key()
    first, second = (taking.create(client, payment, amount=600, key=key) for _ in range(2))
    assert (second.status, second.body, second.etag) == (201, first.body, first.etag)
    assert second.header("Location") == first.header("Location")
    assert second.header("Idempotent-Replayed") == "true"
    assert (len(transfers(database, bill)), as_it_stands(client, payment)[taking.counted]) == (3, 600)
    other = taking.create(client, payment, amount=601, key=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


@EITHER_WAY
def test_a_refusal_is_kept_and_a_fault_is_not(client: Client, taking: Taking) -> None:
    """1.4: kept: every outcome that was decided; not kept, and the key stays free: every 400."""
    _, payment = paid_bill(client)
    key, free = a_key(), a_key()
    first, second = (taking.create(client, payment, amount=1001, key=key) for _ in range(2))
    assert (first.status, second.body, second.header("Idempotent-Replayed")) == (409, first.body, "true")
    assert taking.create(client, payment, amount=0, key=free).status == 400
    assert taking.create(client, payment, amount=1, key=free).status == 201


# Lists


@EITHER_WAY
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_those_of_a_payment_are_listed_newest_first(client: Client, taking: Taking, limit: int) -> None:
    """1.6, 6: listed under the payment, with `limit` and `cursor`, forward and back."""
    _, payment = paid_bill(client)
    path = taking.at(payment)
    assert client.get(path).json() == {"data": []}
    made = [taking.make(client, payment, amount=n) for n in range(1, 6)][::-1]
    kin = REVERSAL if taking is REFUND else REFUND
    kin.make(client, payment, amount=7)
    taking.make(client, paid_bill(client)[1], amount=8)
    pages = [client.get(f"{path}?limit={limit}")]
    while cursor := pages[-1].headers.get("Next-Cursor"):
        pages.append(client.get(f"{path}?limit={limit}&cursor={cursor}"))
    back = [pages[-1]]
    while cursor := back[-1].headers.get("Prev-Cursor"):
        back.append(client.get(f"{path}?limit={limit}&cursor={cursor}"))
    assert [each for page in pages for each in page.json()["data"]] == made
    assert [page.json() for page in back] == [page.json() for page in reversed(pages)]
    assert "ETag" not in pages[0].headers


@EITHER_WAY
def test_a_cursor_belongs_to_its_payment_and_its_kind(client: Client, taking: Taking) -> None:
    """1.6: a cursor belongs to its merchant, mode, route and filters: any other gets 400."""
    _, payment = paid_bill(client)
    _, another = paid_bill(client)
    for each in (payment, another):
        for way in (REFUND, REVERSAL):
            for amount in (1, 2):
                way.make(client, each, amount=amount)
    cursor = client.get(f"{taking.at(payment)}?limit=1").header("Next-Cursor")
    kin = REVERSAL if taking is REFUND else REFUND
    for place in (taking.at(another), kin.at(payment), PAYMENTS):
        refused(client.get(f"{place}?limit=1&cursor={cursor}"), 400, "query: cursor")
    assert client.get(f"{taking.at(payment)}?limit=1&cursor={cursor}").status == 200


@EITHER_WAY
def test_a_query_parameter_that_is_unknown_is_400(client: Client, faulty: Json, taking: Taking) -> None:
    """1.1: each fault named."""
    made = taking.make(client, paid_bill(client)[1])
    refused(client.get(f"{taking.at(faulty)}?limit=0&sort=amount"), 400, "query: limit", "query: sort")
    refused(client.get(f"{PAYMENTS}/{made['payment_id']}/{taking.path}/{made['id']}?expand=x"), 400, "query: expand")


@EITHER_WAY
def test_another_method_is_405(client: Client, faulty: Json, taking: Taking) -> None:
    """1.5: 405 with `Allow`: what was taken back is never changed."""
    path = taking.at(faulty)
    for method, place, allowed in (
        ("PATCH", path, {"GET", "HEAD", "POST"}),
        ("DELETE", path, {"GET", "HEAD", "POST"}),
        ("PATCH", f"{path}/{taking.prefix}x", {"GET", "HEAD"}),
        ("POST", f"{path}/{taking.prefix}x", {"GET", "HEAD"}),
    ):
        answer = client.send(method, place, b"{}", {"Content-Type": JSON, "Idempotency-Key": a_key()})
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert set(answer.header("Allow").replace(" ", "").split(",")) == allowed


# Contention


@pytest.mark.parametrize("ways", [[REFUND], [REVERSAL], [REFUND, REVERSAL]], ids=["refunds", "reversals", "both"])
def test_no_more_is_ever_taken_back_than_was_paid(
    client: Client, two_workers: Service, database: Database, ways: list[Taking]
) -> None:
    """6: decided on locked state: of ten that want 300 of 1000, three are done."""
    caller = two_workers.client(client.key)
    bill, payment = paid_bill(client)

    def take(n: int) -> int:
        return ways[n % len(ways)].create(caller, payment, amount=300).status

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(take, range(10)))
    caller.close()
    assert sorted(statuses) == [201] * 3 + [409] * 7
    assert sum(standing(client, payment)[1:]) == 900
    assert money(as_it_stands(client, bill)) == (100, 900, "unpaid")
    assert [row[4] for row in transfers(database, bill)] == [1000, 0, 300, 600, 900]
    assert len(events(database, bill)) == 6


def test_of_concurrent_refunds_of_everything_one_is_done(client: Client, two_workers: Service) -> None:
    caller = two_workers.client(client.key)
    bills, payment = three(client)
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: REFUND.create(caller, payment).status, range(10)))
    caller.close()
    assert sorted(statuses) == [201] + [409] * 9
    assert [as_it_stands(client, bill) for bill in bills] == bills


def test_payments_and_refunds_of_one_account_at_once_are_all_exact(client: Client, two_workers: Service) -> None:
    """6: whatever comes in whichever order, the balance is what stands in the ledger."""
    caller = two_workers.client(client.key)
    account = an_account(client, currency="ZAR", balance=10_000)
    payments = [a_payment(client, 100, account=account["id"]) for _ in range(5)]

    def move(n: int) -> int:
        if n % 2:
            return REFUND.create(caller, payments[n // 2], amount=40).status
        return pay(caller, 100, account=account["id"]).status

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(move, range(10)))
    caller.close()
    assert statuses == [201] * 10
    assert as_it_stands(client, account)["balance"] == 10_000 - 500 + 5 * 40 - 500


def test_who_gave_money_back_and_why_is_recorded(client: Client, database: Database) -> None:
    """1.8: recorded with every transfer."""
    bill, payment = paid_bill(client)
    client.post(
        REFUND.at(payment), {"amount": 5}, Idempotency_Key=a_key(), Owed_Actor="mary@acme", Owed_Reason="Goodwill"
    )
    recorded = """SELECT transfer.cause, attribution.actor, attribution.reason FROM transfer
                    JOIN attribution ON attribution.id = transfer.attribution_id WHERE obligation_id = $1"""
    assert [tuple(row) for row in database.rows(recorded, bill["id"])] == [("refund", "mary@acme", "Goodwill")]


def test_a_customer_and_a_bill_of_it_are_taken_back_each_for_itself(client: Client) -> None:
    """4: bills and balances are separate obligations."""
    customer = a_customer(client, currency="ZAR", balance=500)
    bill = a_bill(client, customer=customer["id"])
    targets = [{"customer": customer["id"], "amount": 200}, {"bill": bill["id"], "amount": 300}]
    payment = a_payment(client, 500, applications=targets)
    made = REFUND.make(client, payment, amount=350)
    assert [set(share) - {"id", "amount"} for share in made["applications"]] == [{"bill_id"}, {"customer_id"}]
    assert as_it_stands(client, customer)["balance"] == 500 - 150
    assert money(as_it_stands(client, bill)) == (0, 1000, "unpaid")
