"""2: POST /billing/customers, and every row of the table of members."""

import json

import pytest

from tests.contract.client import Answer, Client
from tests.contract.samples import CUSTOMERS, LARGEST, RULES, a_customer, a_request, at, create
from tests.contract.service import Database


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert answer.pointers == list(pointers), answer.body


def accepted_on_create_and_patch(client: Client, member: str, value: object) -> None:
    created = a_customer(client, **{member: value})
    assert created[member] == value
    patched = client.patch(at(a_customer(client)), {member: value})
    assert (patched.status, patched.json()[member]) == (200, value)


def refused_on_create_and_patch(client: Client, member: str, value: object) -> None:
    customer = a_customer(client)
    refused(create(client, **{member: value}), f"/{member}")
    refused(client.patch(at(customer), {member: value}), f"/{member}")
    refused(client.merge(at(customer), {member: value}), f"/{member}")
    assert client.get(at(customer)).json() == customer


def test_a_create_answers_201_with_the_customer_and_its_location(client: Client) -> None:
    """2: `POST /billing/customers` 201 with the customer; `Location` header."""
    answer = create(client, name="John Doe")
    assert answer.status == 201
    assert answer.header("Location").endswith(at(answer.json()))
    got = client.get(at(answer.json()))
    assert (got.json(), got.etag) == (answer.json(), answer.etag)
    assert got.header("Last-Modified") == answer.header("Last-Modified")


def test_a_create_raises_one_event_that_shows_the_customer(client: Client, database: Database) -> None:
    """2: each write appends its event, `customer.created`, whose data is the object as the API shows it."""
    customer = a_customer(client, name="Evented")
    (event,) = database.rows("SELECT type, body FROM event WHERE object_id = $1", customer["id"])
    body = json.loads(event["body"])
    assert event["type"] == "customer.created"
    assert customer in (body, body.get("data"))


def test_a_refused_create_leaves_nothing(client: Client, database: Database) -> None:
    counts = """SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM event), (SELECT count(*) FROM transfer),
                       (SELECT count(*) FROM attribution)"""
    customer = a_customer(client)
    before = database.rows(counts)
    assert create(client, balance=5).status == 400
    taken = {"external_reference": customer["external_reference"]}
    assert client.post(CUSTOMERS, taken | {"currency": "ZAR", "balance": 5}).status == 409
    assert database.rows(counts) == before


def test_an_id_cannot_be_chosen(client: Client) -> None:
    """2, row `id`: not a member of a create."""
    refused(create(client, id="bcus_H4jp6KnU5cPw263v1jyz4"), "/id")


# name


@pytest.mark.parametrize(
    "name",
    [
        "J",
        "John Doe",
        "é" * 255,
        "😀" * 255,
        "字" * 255,
        "e\u0301" * 127,
        "a" * 255,
        "\u200b",
        "".join(chr(0x3300 + n * 37 % 88) for n in range(255)),
        "\ufdfa" * 255,
        "O'Brien; --",
    ],
)
def test_a_name_may_be(client: Client, name: str) -> None:
    """2, row `name`: a string of at most 255 characters (code points, whatever their bytes)."""
    accepted_on_create_and_patch(client, "name", name)


@pytest.mark.parametrize("name", ["a" * 256, "😀" * 256, "e\u0301" * 128, 5, 1.5, True, [], {}, ["John"]])
def test_a_name_may_not_be(client: Client, name: object) -> None:
    refused_on_create_and_patch(client, "name", name)


# email

LABEL_63 = "a" * 63


@pytest.mark.parametrize(
    "email",
    [
        "a@b.c", "john.doe@example.com", "a@example.test", "A@EXAMPLE.COM", "a@1.2", "a@1-2.3--4",
        "a@xn--bcher-kva.example",
        "!#$%&'*+/=?^_{}~-`|.@example.com", ".a@example.com", "a.@example.com", "a..b@example.com", "-@example.com",
        "x" * 64 + "@example.com", f"a@{LABEL_63}.com", f"a@b.{LABEL_63}", "a@" + "b." * 20 + "c",
        "x" * 64 + "@" + ".".join(["a" * 62] * 3) + ".c", "0@0.0",
        "x" * 61 + "@" + f"{LABEL_63}.{LABEL_63}.{LABEL_63}.a", "x" * 62 + "@" + f"{LABEL_63}.{LABEL_63}.{LABEL_63}",
    ],
)  # fmt: skip
def test_an_e_mail_address_may_be(client: Client, email: str) -> None:
    """2, row `email`: 1 to 64 characters, one `@`, two or more labels of letters, digits and inner hyphens."""
    assert len(email) <= 255
    accepted_on_create_and_patch(client, "email", email)


def test_an_e_mail_address_has_up_to_255_characters(client: Client) -> None:
    """2, row `email`: ≤255."""
    domain = f"{LABEL_63}.{LABEL_63}.{LABEL_63}"
    for local, total in (("x" * 63, 255), ("x" * 64, 256)):
        email = f"{local}@{domain}"
        assert len(email) == total
        assert create(client, email=email).status == (201 if total == 255 else 400)


@pytest.mark.parametrize(
    "email",
    [
        "", "@", "a", "a@", "@example.com", "a@b", "a@b.", "a@.b", "a@b..c", "a@@b.c", "a@b@c.d", "a b@c.d", " a@b.c",
        "a@b.c ",
        "a@b.c\n", "\na@b.c", "a@b.c\r\n", "a@-b.c", "a@b-.c", "a@b.-c", "a@b.c-", "a@b_c.d", "a@[127.0.0.1]",
        '"a"@b.c', "a(x)@b.c",
        "a,b@c.d", "a:b@c.d", "a;b@c.d", "a<b@c.d", "a\\b@c.d", "é@b.c", "a@é.com", "a@b.cé", "a@example.\uff11",
        "\uff41@b.c", "a@b。c",
        "x" * 65 + "@example.com", f"a@{LABEL_63}a.com", f"a@b.{LABEL_63}a", "John <a@b.c>", "mailto:a@b.c",
        "a@b.c,d@e.f", "a@b.c\u0000",
        5, True, [], {}, ["a@b.c"],
    ],
)  # fmt: skip
def test_an_e_mail_address_may_not_be(client: Client, email: object) -> None:
    if email == "a@b.c\u0000":
        assert create(client, email=email).status == 400
    else:
        refused_on_create_and_patch(client, "email", email)


# phone


@pytest.mark.parametrize("phone", ["+12", "+27123456789", "+123456789012345", "+99", "+10", "+900000000000000"])
def test_a_phone_number_may_be(client: Client, phone: str) -> None:
    r"""2, row `phone`: `^\+[1-9]\d{1,14}$`, and nobody's opinion beside it."""
    accepted_on_create_and_patch(client, "phone", phone)


@pytest.mark.parametrize(
    "phone",
    [
        "", "+", "+1", "1", "27123456789", "+0123456789", "+1234567890123456", "+27 12 345 6789", "+27-12-345",
        "+27(12)345", "0821234567",
        "+27123456789\n", "\n+27123456789", " +27123456789", "+27123456789 ", "++27123456789", "+2712345678a",
        "+٢٧١٢٣٤٥٦٧٨\u0669", "+\uff12\uff17\uff11\uff12\uff13\uff14\uff15",
        "+2712345678\u0669", "\uff0b27123456789", "tel:+27123456789", "+27123456789;ext=1", "+1.5", 27123456789, True,
        [], {},
    ],
)  # fmt: skip
def test_a_phone_number_may_not_be(client: Client, phone: object) -> None:
    r"""2, row `phone`: matched against the whole string, in ASCII."""
    refused_on_create_and_patch(client, "phone", phone)


# currency


@pytest.mark.parametrize("currency", ["ZAR", "USD", "EUR", "JPY", "KWD", "CLF", "SLE"])
def test_a_currency_may_be(client: Client, currency: str) -> None:
    """2, row `currency`: an ISO 4217 code of the active list."""
    accepted_on_create_and_patch(client, "currency", currency)


@pytest.mark.parametrize(
    "currency",
    ["", "zar", "Zar", "ZA", "ZARR", "ZAR\n", " ZAR", "ZAR ", "ZZZ", "AAA", "DEM", "HRK", "ZWD", "710", "R",
    "\uff3a\uff21\uff32", "BTC", 710, 1.5, True, [],
     {}],
)  # fmt: skip
def test_a_currency_may_not_be(client: Client, currency: object) -> None:
    """1.1: upper case; checked against the active list when a value is first given."""
    refused_on_create_and_patch(client, "currency", currency)


# balance


@pytest.mark.parametrize("balance", [0, 1, -1, 2000, LARGEST, -LARGEST])
def test_a_balance_may_be(client: Client, balance: int) -> None:
    """2, row `balance`: an integer within ±(2^53 - 1); positive: owed; negative: credit."""
    assert a_customer(client, currency="ZAR", balance=balance)["balance"] == balance
    customer = a_customer(client, currency="ZAR")
    assert "balance" not in customer
    assert client.patch(at(customer), {"balance": balance}).json() == customer | {"balance": balance}
    assert client.get(at(customer)).json()["balance"] == balance


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740992", "-9007199254740992", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
        "18446744073709551616", "1" + "0" * 40, "-1" + "0" * 40, "9" * 400, "2000.0", "2000.5", "-0.0",
        "2e3", "2E3", "20e-1",
        "1e-400", '"2000"', '""', "true", "false", "[]", "{}", "[2000]",
    ],
)  # fmt: skip
def test_a_balance_may_not_be(client: Client, text: str) -> None:
    """1.1: money is an integer, never a float: `2000.0`, `"2000"`, `true` are refused; out of bounds is refused."""
    body = json.dumps(a_request(currency="ZAR"))[:-1] + f', "balance": {text}}}'
    refused(client.post(CUSTOMERS, body.encode()), "/balance")
    customer = a_customer(client, currency="ZAR", balance=7)
    refused(client.patch(at(customer), f'{{"balance": {text}}}'.encode()), "/balance")
    refused(client.merge(at(customer), f'{{"balance": {text}}}'.encode()), "/balance")
    assert client.get(at(customer)).json() == customer


@pytest.mark.parametrize("text", ["9" * 5000, "1e400", "-1e400", "1" + "0" * 200_000])
def test_a_number_that_no_computer_holds_is_400(client: Client, text: str) -> None:
    """1.1: nothing a client sends may cause a 500: not even a number that a decoder gives up on."""
    customer = a_customer(client, currency="ZAR", balance=7)
    for send in (client.patch, client.merge):
        answer = send(at(customer), f'{{"balance": {text}}}'.encode())
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert answer.pointers in ([""], ["/balance"])
    assert client.get(at(customer)).json() == customer


def test_a_balance_needs_a_currency(client: Client) -> None:
    """2: `balance` needs a `currency`: in the same request or already on the object, else 400."""
    for answer in (create(client, balance=0), create(client, balance=2000, currency=None)):
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert answer.pointers in (["/balance"], ["/currency"])
        assert "currency" in answer.body.decode()


def test_the_opening_balance_is_one_transfer(client: Client, database: Database) -> None:
    """2: setting a balance at creation appends a transfer to the ledger, of the cause `opening`."""
    transfers = "SELECT amount, total_after, currency, cause FROM transfer WHERE obligation_id = $1"
    owing, owed = a_customer(client, currency="ZAR", balance=2000), a_customer(client, currency="USD", balance=-5)
    assert [tuple(row) for row in database.rows(transfers, owing["id"])] == [(2000, 2000, "ZAR", "opening")]
    assert [tuple(row) for row in database.rows(transfers, owed["id"])] == [(-5, -5, "USD", "opening")]
    assert database.rows(transfers, a_customer(client, currency="ZAR")["id"]) == []


def test_a_currency_may_stand_without_a_balance(client: Client) -> None:
    """2, row `balance`: absent: not tracked."""
    customer = a_customer(client, currency="ZAR", payment_rules=RULES)
    assert customer["currency"] == "ZAR"
    assert "balance" not in client.get(at(customer)).json()
