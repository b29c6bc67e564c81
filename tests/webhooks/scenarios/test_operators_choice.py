"""What an operator decides: networks, certificates, how long a failure holds back; and live mode, which needs it."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.contract.samples import a_bill, a_payment
from tests.contract.service import Merchant, Service, data_directory
from tests.failure.stand import wait_until
from tests.webhooks.receiver import answer
from tests.webhooks.scenarios.conftest import IMPATIENT
from tests.webhooks.scenarios.merchant import ENDPOINTS, Ear, Shop
from tests.webhooks.scenarios.tellings import applied, event_of, told_by

CERTIFICATES: Final = Path(__file__).parent / "certificates"
AUTHORITY: Final = CERTIFICATES / "authority.pem"
Open = Callable[[str], Shop]


CHOSEN: Final = {
    "OWED_WEBHOOK_ALLOW": "127.0.0.0/8,::1/128",
    "OWED_WEBHOOK_CA_BUNDLE": str(AUTHORITY),
    "OWED_WEBHOOK_RETRIES": "0.1,0.1,2,0.1",
    "OWED_WEBHOOK_ORDER_SECONDS": "1",
}


@pytest.fixture(scope="module")
def on_premises() -> Iterator[Service]:
    """A service whose operator opens what an on-premises receiver needs, and holds nothing back for long."""
    with data_directory() as place:
        running = Service.start(place, **IMPATIENT | CHOSEN)
        yield running
        running.stop()


@pytest.fixture(scope="module")
def live_merchant(on_premises: Service) -> Merchant:
    return on_premises.merchant("Acme Water")


@pytest.fixture
def open_shop(on_premises: Service, live_merchant: Merchant) -> Iterator[Open]:
    """Open the merchant's program under one of its keys."""
    opened: list[Shop] = []

    def shop(key: str) -> Shop:
        opened.append(Shop(on_premises.client(live_merchant.keys[key])))
        return opened[-1]

    yield shop
    for each in opened:
        each.close()


def tls(name: str) -> ssl.SSLContext:
    """Give what a receiver needs to show one of our certificates."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    return context


def test_test_and_live_never_meet(open_shop: Open) -> None:
    """Each mode's endpoints get the events of that mode, signed, live ones over https."""
    test, live = open_shop("sk_test"), open_shop("sk")
    in_test, in_live = test.hook(events=["*"]), live.hook(live.ear(tls("receiver")), events=["*"])
    bills = a_bill(test.client), a_bill(live.client)
    test.drain(in_test)
    live.drain(in_live)
    in_test.news()
    in_live.news()
    payment = applied(a_payment(test.client, bill=bills[0]["id"]))
    live_payment = applied(a_payment(live.client, bill=bills[1]["id"]))
    (request,) = test.hears(in_test, payment)
    (live_request,) = live.hears(in_live, live_payment)
    assert test.client.get(f"/billing/events/{event_of(live_request)}").status == 404
    assert live.client.get(f"/billing/events/{event_of(request)}").status == 404
    assert live.client.get(in_test.path).status == 404


def test_live_mode_wants_https(open_shop: Open) -> None:
    live = open_shop("sk")
    refused = live.client.post(ENDPOINTS, {"url": live.ear().url})
    assert (refused.status, refused.pointers) == (400, ["/url"])


def test_the_certificate_may_name_the_host(open_shop: Open) -> None:
    live = open_shop("sk")
    ear = live.ear(tls("receiver"))
    hook = live.hook(ear)
    hook.change(url=ear.url_of("localhost"))
    live.hears(hook, applied(a_payment(live.client, bill=a_bill(live.client)["id"])))


def test_a_stranger_with_a_certificate_of_its_own_gets_nothing(open_shop: Open) -> None:
    """Nobody reads an event who cannot show that it is whom we mean; the merchant sees why."""
    live = open_shop("sk")
    stranger, honest = live.ear(tls("stranger")), live.ear(tls("receiver"))
    hook = live.hook(stranger)
    payment = applied(a_payment(live.client, bill=a_bill(live.client)["id"]))
    wait_until(lambda: "last_failure_at" in hook.status, "an attempt fails")
    hook.move(honest)
    live.drain(hook)
    (request,) = hook.news()
    assert stranger.requests == []
    *failed, last = hook.attempts(event_of(request))
    assert {attempt["error"].partition(":")[0] for attempt in failed} == {"TLS certificate not trusted"}
    assert (last["status"], payment.data["payment_id"].encode() in request.body) == (204, True)


def test_nobody_listens_for_a_while(open_shop: Open) -> None:
    """A refused connection fails without an answer; the attempts go on, and find the receiver when it is back."""
    shop = open_shop("sk_test")
    with Ear() as closed:
        pass
    hook = shop.hook(closed)
    bill = a_bill(shop.client)
    payment = a_payment(shop.client, bill=bill["id"])
    wait_until(lambda: "last_failure_at" in hook.status, "an attempt fails")
    hook.move(shop.ear())
    shop.drain(hook)
    (request,) = hook.news()
    assert told_by(request) == applied(payment)
    *failed, last = hook.attempts(event_of(request))
    assert {(attempt["error"], attempt["succeeded"]) for attempt in failed} == {("connection refused", False)}
    assert last["succeeded"]


def test_what_fails_for_too_long_is_set_aside_and_marked_out_of_order(open_shop: Open) -> None:
    shop = open_shop("sk_test")
    hook = shop.hook()
    bill = a_bill(shop.client)
    hook.ear.plan_for(bill, *[answer(500)] * 3)
    first, second, third = [applied(a_payment(shop.client, bill=bill["id"])) for _ in range(3)]
    requests = shop.hears(hook, first, first, first, second, third, first)
    marks = [[attempt["out_of_order"] for attempt in hook.attempts(event_of(each))] for each in requests[2:5]]
    assert marks == [[False, False, False, True], [False], [False]]
    assert (requests[3].at - requests[0].at).total_seconds() >= 1
