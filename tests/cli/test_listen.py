"""`owed listen` as a developer runs it, beside a service that delivers nothing itself."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.cli.deliveries import Merchant, Receiver, merchant, receiver, rows, working
from tests.cli.programs import OWED, Serving, environment, owed_here, serving
from tests.database.places import short_directory

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  (\S+)  (evt_\w+)  (.+)\n")


class Listening:
    """A running `owed listen`, and what it has said at its start."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.greeting: list[str] = []
        while not self.greeting or "Listening as" not in self.greeting[-1]:
            self.greeting.append(self.readline())

    @property
    def endpoint(self) -> str:
        return self.greeting[-1].split()[2].rstrip(".")

    @property
    def secret(self) -> str:
        return self.greeting[0].split()[-1]

    def readline(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "owed listen has ended"
        return line

    def shown(self) -> tuple[str, str, str]:
        """Wait for the next line, and give the type, the id and what became of it."""
        line = LINE.fullmatch(self.readline())
        assert line is not None
        return line[1], line[2], line[3]

    def press_ctrl_c(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@contextmanager
def listening(acme: Merchant, *arguments: str) -> Iterator[Listening]:
    """Run `owed listen`, and kill it at the end if it still runs."""
    command = [*OWED, "listen", "--merchant", acme.id, *arguments]
    with subprocess.Popen(command, env=environment(acme.home), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Listening(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture(scope="module")
def api(home: Path) -> Iterator[Serving]:
    with serving(home) as service:
        yield service
        service.stop()


@pytest.fixture
def acme(home: Path, api: Serving) -> Merchant:
    return merchant(home, api)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as receiving:
        yield receiving


def deleted(acme: Merchant, endpoint: str) -> bool:
    (row,) = rows(acme.home, "SELECT deleted_at FROM webhook_endpoint WHERE id = $1", endpoint)
    return row["deleted_at"] is not None


def test_what_happens_is_shown_and_forwarded_signed_and_again_when_it_is_resent(acme: Merchant, hook: Receiver) -> None:
    with listening(acme, "--forward-to", hook.url, "--events", "customer.created, customer.updated") as ours:
        customer = acme.customer("told")
        told = hook.next()
        kind, event_id, status = ours.shown()
        Webhook(ours.secret).verify(told.body, told.headers)
        again = owed_here(acme.home, "events", "resend", event_id, "--merchant", acme.id, "--mode", "test")
        resent = hook.next()

        assert (kind, status, told.event_id, told.data["id"]) == ("customer.created", "204", event_id, customer)
        assert again.stdout == f"{event_id} is to be sent to {ours.endpoint} again.\n"
        assert (resent.event_id, resent.body, ours.shown()) == (event_id, told.body, (kind, event_id, "204"))
        assert (ours.press_ctrl_c(), deleted(acme, ours.endpoint)) == (0, True)


def test_without_anywhere_to_forward_to_it_only_shows(acme: Merchant) -> None:
    with listening(acme) as ours:
        customer = acme.customer("told")
        kind, event_id, body = ours.shown()

        assert (kind, len(ours.greeting)) == ("customer.created", 1)
        assert body.startswith(f'{{"id":"{event_id}","type":"customer.created","data":{{"id":"{customer}"')


def test_what_the_program_does_not_take_is_shown_and_holds_nothing_back(acme: Merchant) -> None:
    with listening(acme, "--forward-to", "http://127.0.0.1:9/nobody") as ours:
        customer = acme.customer("told")
        acme.send("PATCH", f"customers/{customer}", {"name": "Told"})
        shown = [ours.shown() for _ in range(2)]

    assert [kind for kind, _, _ in shown] == ["customer.created", "customer.updated"]
    assert not any(what.startswith("2") for _, _, what in shown)


def test_two_listeners_and_a_worker_each_take_what_is_theirs(acme: Merchant, hook: Receiver, tmp_path: Path) -> None:
    acme.endpoint(hook.url)
    with (
        receiver() as first,
        receiver() as second,
        listening(acme, "--forward-to", first.url),
        listening(acme, "--forward-to", second.url),
        working(acme.home, log=tmp_path / "log"),
    ):
        acme.customer("told")
        told = [each.next().event_id for each in (hook, first, second)]

        assert len(set(told)) == 1
        assert all(each.arrivals.empty() for each in (hook, first, second))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--events", "customer.eaten"],
            "owed: --events: there is no such type; there are obligation.amount_applied, ",
        ),
        (["--events", "*,bill.paid"], "owed: --events: * stands for all types; give it alone"),
        (["--forward-to", "ftp://127.0.0.1"], "owed: --forward-to: this must begin with "),
        (["--forward-to", "http://10.0.0.1/"], "owed: --forward-to: the host may not be reached: 10.0.0.1 is "),
        (["--merchant", "mer_none"], "owed: there is no merchant mer_none\n"),
    ],
)
def test_what_cannot_be_listened_to_is_one_line(acme: Merchant, arguments: list[str], complaint: str) -> None:
    done = owed_here(acme.home, "listen", "--merchant", acme.id, *arguments)

    assert (done.returncode in {1, 2}, done.stderr.count("\n")) == (True, 1)
    assert done.stderr.startswith(complaint)
