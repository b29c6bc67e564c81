"""POST /billing/customers/{customer}/erase: a person is taken out, what is owed and what was paid stays."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNTS,
    CUSTOMERS,
    PAYMENTS,
    RULES,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    a_request,
    an_account,
    at,
    on,
)
from tests.contract.service import Database, Merchant, Service

PSEUDONYM = re.compile("erased_[0-9A-Za-z]{22}").fullmatch


def erase(client: Client, customer: Json | str, **headers: str) -> Answer:
    """Erase a customer, by its id or another name."""
    name = customer if isinstance(customer, str) else customer["id"]
    sent = {header.replace("_", "-"): value for header, value in headers.items()}
    return client.send("POST", f"{CUSTOMERS}/{name}/erase", headers=sent)


def a_person() -> Json:
    """Return particulars that nobody else has, in no two members the same."""
    token = uuid4().hex
    return {
        "external_reference": f"ref-{token}",
        "name": f"Thandi N{token}",
        "email": f"t{token}@example.com",
        "phone": f"+27{int(token, 16) % 10**11}",
        "metadata": {f"k{token[:30]}": f"v{token}"},
    }


def secrets_of(person: Json) -> Iterator[str]:
    """Yield every word by which a person could be recognised."""
    for value in person.values():
        yield from [word for pair in value.items() for word in pair] if isinstance(value, dict) else [value]


@pytest.fixture(scope="module")
def mine(service: Service, fresh_merchant: Merchant) -> Client:
    return service.client(fresh_merchant.keys["sk_test"])


def test_what_stays_of_a_customer_is_its_id_its_rules_and_what_it_owes(client: Client) -> None:
    customer = a_customer(client, **a_person(), currency="ZAR", balance=500, payment_rules=RULES)
    answer = erase(client, customer)

    erased = answer.json()
    assert (answer.status, bool(PSEUDONYM(erased.pop("external_reference")))) == (200, True)
    assert erased == {"id": customer["id"], "currency": "ZAR", "balance": 500, "payment_rules": RULES}
    assert client.get(at(customer)).json() == answer.json()
    assert client.get(at(customer)).etag == answer.etag == '"2"'


def test_its_accounts_go_with_it(client: Client) -> None:
    customer = a_customer(client, **a_person())
    persons = [{name: value for name, value in a_person().items() if name not in {"email", "phone"}} for _ in range(2)]
    accounts = [an_account(client, customer=customer["id"], currency="ZAR", balance=7, **person) for person in persons]
    assert erase(client, customer["external_reference"]).status == 200

    shown = [client.get(at(account)).json() for account in accounts]
    assert [bool(PSEUDONYM(account.pop("external_reference"))) for account in shown] == [True, True]
    assert [set(account) for account in shown] == [{"id", "customer_id", "currency", "balance", "payment_rules"}] * 2
    for person in persons:
        assert client.get(f"{ACCOUNTS}/{person['external_reference']}").status == 404


def test_nothing_of_the_person_is_anywhere_afterwards(client: Client, database: Database) -> None:
    person, later = a_person(), a_person()
    account = {name: value for name, value in a_person().items() if name not in {"email", "phone"}}
    customer = client.post(CUSTOMERS, {**person, "currency": "ZAR"}, Idempotency_Key=a_key()).json()
    named = f"{CUSTOMERS}/{person['external_reference']}"
    client.post(CUSTOMERS, person, Idempotency_Key=a_key())
    client.patch(named, {**later, "external_reference": person["external_reference"]}, Idempotency_Key=a_key())
    client.patch(named, {"balance": 5}, If_Match='"77"', Idempotency_Key=a_key())
    made = client.post(
        ACCOUNTS, {**account, "customer": customer["id"], "currency": "ZAR", "balance": 9}, Idempotency_Key=a_key()
    ).json()
    client.patch(at(made), {"balance": 8}, Idempotency_Key=a_key())
    client.send("POST", f"{CUSTOMERS}/{quote(person['external_reference'], safe='').replace('-', '%2D')}/erase",
                headers={"If-Match": '"77"', "Idempotency-Key": a_key()})  # fmt: skip
    a_payment(client, 5, customer=person["external_reference"], metadata={"said": "nothing"})
    told = [*secrets_of(person), *(each for each in secrets_of(later) if each != later["external_reference"])]
    told += secrets_of(account)
    assert all(database.tables_with(text) for text in told)

    assert erase(client, customer).status == 200
    assert {text: places for text in told if (places := database.tables_with(text))} == {}


def test_a_customer_is_found_by_nothing_that_it_was(client: Client) -> None:
    person = a_person()
    customer = a_customer(client, **person)
    ((key, value),) = person["metadata"].items()
    queries = [
        f"external_reference={person['external_reference']}", f"email={person['email']}",
        f"phone={quote(person['phone'])}", f"metadata[{key}]={value}", f"q={person['name'].split()[1]}",
        f"q={person['external_reference'].split('-')[1]}",
    ]  # fmt: skip
    assert [len(client.get(f"{CUSTOMERS}?{query}").json()["data"]) for query in queries] == [1] * 6

    erased = erase(client, customer).json()
    assert [client.get(f"{CUSTOMERS}?{query}").json()["data"] for query in queries] == [[]] * 6
    assert client.get(f"{CUSTOMERS}/{person['external_reference']}").status == 404
    found = client.get(f"{CUSTOMERS}?external_reference={erased['external_reference']}").json()["data"]
    assert found == [erased]


def test_what_is_owed_and_was_paid_stays_and_can_be_paid(client: Client) -> None:
    customer = a_customer(client, **a_person(), currency="ZAR", balance=500)
    bill = a_bill(client, customer=customer["id"])
    payment = a_payment(client, 100, **on(customer))
    entries = client.get(f"{at(customer)}/entries").body
    erased = erase(client, customer).json()

    assert erased["balance"] == 400
    assert client.get(f"{at(customer)}/entries").body == entries
    assert client.get(at(bill)).json() == bill
    assert [each["id"] for each in client.get(f"{PAYMENTS}?customer={customer['id']}").json()["data"]] == [
        payment["id"]
    ]
    assert a_payment(client, 1000, **on(bill))["bill_id"] == bill["id"]


def test_the_books_still_verify(service: Service) -> None:
    merchant = service.merchant("Acme Water")  # of its own: others put what they need into the books by hand
    client = service.client(merchant.keys["sk_test"])
    customer = a_customer(client, **a_person(), currency="ZAR", balance=500)
    client.patch(at(customer), {"balance": 400}, Owed_Actor="jane")
    assert erase(client, customer, Owed_Actor="jane", Owed_Reason="asked us to").status == 200

    assert service.owed("verify", "--merchant", merchant.id, "--mode", "test")


def test_its_events_keep_ids_and_amounts_and_say_that_they_were_redacted(client: Client) -> None:
    customer = a_customer(client, **a_person(), currency="ZAR", balance=500)
    payment = a_payment(client, 100, **on(customer), metadata={"who": "her sister"})
    before = events_of(client, customer)
    erased = erase(client, customer).json()
    updated, applied, created = events_of(client, customer)

    reference = erased["external_reference"]
    assert updated == {"id": updated["id"], "type": "customer.updated", "data": erased}
    assert created == {
        "id": before[1]["id"],
        "type": "customer.created",
        "redacted": True,
        "data": {"id": customer["id"], "currency": "ZAR", "balance": 500, "external_reference": reference},
    }
    was = before[0]["data"]
    assert applied["redacted"] is True
    assert applied["data"] == {**was, "metadata": {}}
    assert (was["payment_id"], was["metadata"]) == (payment["id"], {"who": "her sister"})
    one = client.get(f"/billing/events/{created['id']}")
    assert (one.json(), one.status) == (created, 200)


def test_its_bills_tell_what_they_told(client: Client) -> None:
    """They never held more of the person than an id."""
    customer = a_customer(client, **a_person())
    bill = a_bill(client, customer=customer["id"])
    before = events_of(client, bill)
    erase(client, customer)

    assert events_of(client, bill) == before


def test_an_account_tells_of_it_too(client: Client) -> None:
    customer = a_customer(client)
    account = an_account(client, customer=customer["id"], name="Her shop")
    erase(client, customer)
    updated, created = events_of(client, account)

    assert (updated["type"], updated["data"]) == ("account.updated", client.get(at(account)).json())
    assert (created["redacted"], created["data"]["customer_id"]) == (True, customer["id"])


def events_of(client: Client, thing: Json) -> list[Json]:
    found: list[Json] = client.get(f"/billing/events?object={thing['id']}").json()["data"]
    return found


def test_to_erase_twice_is_to_erase_once(client: Client) -> None:
    customer = a_customer(client, **a_person())
    an_account(client, customer=customer["id"])
    first, again = erase(client, customer), erase(client, customer)

    assert (again.status, again.body, again.etag) == (200, first.body, first.etag)
    assert len(events_of(client, customer)) == 2
    assert [each["command"] for each in audited(client, customer)] == ["customer.erase"]


def test_what_is_told_after_the_erasure_can_be_erased_too(client: Client, database: Database) -> None:
    customer = a_customer(client, **a_person())
    erased, person = erase(client, customer).json(), a_person()
    told = {name: person[name] for name in ("name", "email", "phone", "metadata")}
    client.patch(at(customer), told, Idempotency_Key=a_key())
    again = erase(client, customer)

    assert again.json() == erased
    assert {text: places for text in secrets_of(told) if (places := database.tables_with(text))} == {}


def test_the_old_reference_makes_a_new_customer(client: Client) -> None:
    person = a_person()
    customer = a_customer(client, **person)
    erase(client, customer)
    anew = client.post(CUSTOMERS, person)

    assert (anew.status, anew.json()["id"] != customer["id"]) == (201, True)
    assert client.get(f"{CUSTOMERS}/{person['external_reference']}").json() == anew.json()


def test_a_stored_answer_shows_what_stands_now(client: Client) -> None:
    person, key = a_person(), a_key()
    first = client.post(CUSTOMERS, person, Idempotency_Key=key)
    erased = erase(client, first.json())
    replay = client.post(CUSTOMERS, person, Idempotency_Key=key)

    assert (replay.status, replay.header("Idempotent-Replayed"), replay.header("Location")) == (
        201, "true", first.header("Location"),
    )  # fmt: skip
    assert (replay.body, replay.etag) == (erased.body, erased.etag)


def test_a_stored_refusal_names_nobody(client: Client) -> None:
    person, key = a_person(), a_key()
    customer = a_customer(client, **person)
    refused = client.post(CUSTOMERS, person, Idempotency_Key=key).json()
    erase(client, customer)
    replay = client.post(CUSTOMERS, person, Idempotency_Key=key)

    assert (replay.status, replay.code, replay.header("Idempotent-Replayed")) == (409, "conflict", "true")
    redacted = replay.json()
    assert "errors" in refused
    assert redacted == {
        **{name: refused[name] for name in ("type", "title", "status", "code", "instance", "request_id")},
        "errors": refused["errors"],
        "detail": "This answer named a customer who was erased since, so no more is left of it.",
    }


def test_answers_of_others_stay(client: Client) -> None:
    key, request = a_key(), a_request(name="Someone else")
    first = client.post(CUSTOMERS, request, Idempotency_Key=key)
    erase(client, a_customer(client, **a_person()))

    assert client.post(CUSTOMERS, request, Idempotency_Key=key).body == first.body


def test_a_key_makes_it_safe_to_retry(client: Client) -> None:
    """Also by the old reference, which is nobody's by then."""
    person, key = a_person(), a_key()
    a_customer(client, **person)
    first = erase(client, person["external_reference"], Idempotency_Key=key)
    again = erase(client, person["external_reference"], Idempotency_Key=key)

    assert (again.status, again.body, again.header("Idempotent-Replayed")) == (200, first.body, "true")
    assert erase(client, person["external_reference"]).status == 404
    assert client.post(f"{CUSTOMERS}/x/erase", {}, Idempotency_Key=key).code == "idempotency_key_reused"


def audited(client: Client, thing: Json) -> list[Json]:
    found: list[Json] = client.get(f"/billing/audit?object={thing['id']}").json()["data"]
    return found


def test_who_erased_is_in_the_audit_log_and_whom_is_not(client: Client) -> None:
    customer = a_customer(client, **a_person())
    erase(client, customer, Owed_Actor="jane", Owed_Reason="POPIA request 12")
    (record,) = audited(client, customer)

    assert (record["command"], record["actor"], record["reason"]) == ("customer.erase", "jane", "POPIA request 12")
    assert set(record) == {"id", "recorded_at", "command", "object_id", "key_id", "actor", "reason"}


def test_only_the_version_that_is_named_is_erased(client: Client) -> None:
    customer = a_customer(client, **a_person())
    stale = erase(client, customer, If_Match='"7"')

    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert client.get(at(customer)).json() == customer
    assert erase(client, customer, If_Match='"1"').status == 200


@pytest.mark.parametrize(
    ("body", "pointers"),
    [({"name": "x"}, ["/name"]), ([], [""]), ({"customer": 1, "why": None}, ["/customer", "/why"])],
)
def test_it_takes_no_members(client: Client, body: Any, pointers: list[str]) -> None:
    customer = a_customer(client)
    answer = client.post(f"{at(customer)}/erase", body)

    assert (answer.status, sorted(answer.pointers)) == (400, pointers)
    assert client.get(at(customer)).json() == customer


def test_a_body_of_no_members_is_no_fault(client: Client) -> None:
    assert client.post(f"{at(a_customer(client))}/erase", {}).status == 200


def test_nobody_erases_what_is_another_s(client: Client, other: Client, live: Client, public: Client) -> None:
    customer = a_customer(client, **a_person())

    assert [erase(each, customer).status for each in (other, live, public)] == [404, 404, 403]
    assert erase(client, customer["external_reference"] + "x").status == 404
    assert client.get(at(customer)).json() == customer


def test_a_customer_with_many_accounts_is_erased_whole(mine: Client, database: Database) -> None:
    customer = a_customer(mine, **a_person())
    token = uuid4().hex
    for number in range(103):
        an_account(mine, customer=customer["id"], external_reference=f"{token}-{number}", name=token)
    assert erase(mine, customer).status == 200

    assert database.tables_with(token) == []
    assert len(audited(mine, customer)) == 2


def test_other_customers_are_left_alone(client: Client) -> None:
    person = a_person()
    neighbour = a_customer(client, **{**person, "external_reference": a_reference()})
    account = an_account(client, customer=neighbour["id"], name="Shop")
    erase(client, a_customer(client, **person))

    assert client.get(at(neighbour)).json() == neighbour
    assert client.get(at(account)).json() == account
    assert json.dumps(person["metadata"]) == json.dumps(events_of(client, neighbour)[0]["data"]["metadata"])
