"""`owed serve` as an operator meets it."""

import shlex
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
import uvicorn
from uvicorn.supervisors.multiprocess import Process

from owed.cli.serve import has_started
from owed.database import embedded
from tests.cli.programs import Serving, is_stopped, owed, owed_json, postmaster, serving, wait_until
from tests.database.places import short_directory, value


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    """A data directory on which another service has run before."""
    with short_directory() as directory:
        with serving(directory / "data") as service:
            service.stop()
        yield directory / "data"


@pytest.fixture(scope="module")
def supervised() -> Iterator[Serving]:
    """A service with two workers, which tests may hurt; at the end it stops as it should."""
    with short_directory() as directory, serving(directory / "data", "--workers", "2") as service:
        service.get("/health")
        yield service
        assert service.stop() == 0


def test_the_first_start_shows_four_keys_and_a_curl_line_that_works(home: Path) -> None:
    with serving(home) as service:
        shown = [line.split()[0] for line in service.greeting if line.strip().startswith(("sk", "pk"))]
        curl, _, header, url = shlex.split(next(line for line in service.greeting if "curl" in line))
        status, body = service.get(url.removeprefix(service.url), Authorization=header.partition(": ")[2])

    assert (shown, curl, status) == (["sk_test", "pk_test", "sk", "pk"], "curl", 200)
    assert b"John Doe" in body


def test_a_second_start_is_quick_finds_the_data_and_shows_no_keys(home: Path) -> None:
    with serving(home) as service:
        service.stop()
    begun = time.monotonic()
    with serving(home) as service:
        status, _ = service.get("/health")
        took = time.monotonic() - begun

        assert (status, took < 4, len(service.greeting)) == (200, True, 1)
        assert [each["name"] for each in owed_json(home, "merchants", "list")] == ["Demo"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_drains_and_stops_postgresql_too(used_home: Path, workers: str) -> None:
    with serving(used_home, "--workers", workers) as service:
        service.get("/health")

        assert (service.stop(), is_stopped(used_home)) == (0, True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_drains_and_stops_postgresql_too(used_home: Path, workers: str) -> None:
    with serving(used_home, "--workers", workers) as service:
        service.get("/health")

        assert (service.press_ctrl_c(), is_stopped(used_home)) == (0, True)


def test_two_services_share_the_one_postgresql_and_the_last_one_out_stops_it(used_home: Path) -> None:
    with serving(used_home) as first, serving(used_home) as second:
        shared = postmaster(used_home).pid
        first.stop()
        status, _ = second.get("/health")
        survived = postmaster(used_home).pid == shared
        second.stop()

        assert (status, survived, is_stopped(used_home)) == (200, True, True)


def test_after_kill_9_of_everything_the_next_start_recovers(used_home: Path) -> None:
    with serving(used_home, "--workers", "2") as service:
        service.get("/health")
        merchant = owed_json(used_home, "merchants", "create", "Committed")["id"]
        everything = psutil.Process(service.process.pid).children(recursive=True)
        everything += [postmaster(used_home), *postmaster(used_home).children()]
        for process in everything:
            with suppress(psutil.NoSuchProcess):  # PostgreSQL starts and ends processes of its own
                process.kill()
        service.process.kill()
    with serving(used_home) as service:
        assert service.get("/health")[0] == 200
        assert merchant in [each["id"] for each in owed_json(used_home, "merchants", "list")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_replaced(supervised: Serving, number: signal.Signals) -> None:
    victim = supervised.workers()[0]
    victim.send_signal(number)
    wait_until(lambda: victim not in supervised.workers() and len(supervised.workers()) == 2)

    assert supervised.get("/health")[0] == 200


def test_a_worker_that_dies_before_it_answers_is_not_taken_to_hang() -> None:
    worker = Process(uvicorn.Config("nothing"), [])
    worker.process = get_context("spawn").Process(target=signal.pause)
    worker.process.start()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(has_started, worker, 60)
        worker.process.kill()

        assert waiting.result(20) is False


def test_workers_leave_when_their_supervisor_is_killed(used_home: Path) -> None:
    with serving(used_home, "--workers", "2") as service:
        service.get("/health")
        workers = service.workers()
        service.process.kill()

    wait_until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))
    with embedded.running(used_home):
        pass


def test_a_stopped_worker_does_not_hold_up_the_end_for_ever(used_home: Path) -> None:
    with serving(used_home, "--workers", "2") as service:
        service.get("/health")
        service.workers()[0].suspend()

        assert (service.stop(), is_stopped(used_home)) == (0, True)


def test_a_port_in_use_is_one_line(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = owed(home, "serve", "--port", port)

    assert (done.returncode, done.stderr) == (
        1,
        f"owed: cannot listen on 127.0.0.1 port {port}: address already in use\n",
    )


def test_a_directory_that_cannot_be_written_is_one_line(home: Path) -> None:
    home.write_text("a file")
    done = owed(home, "serve")

    assert (done.returncode, done.stderr) == (1, f"owed: cannot use {home}: file exists\n")


def test_a_setting_that_cannot_be_used_is_one_line(home: Path) -> None:
    done = owed(home, "serve", OWED_WORKERS="many")

    assert (done.returncode, done.stderr) == (2, "owed: OWED_WORKERS is 'many': expected `int`\n")


def test_a_database_out_of_reach_is_one_line(home: Path) -> None:
    done = owed(home, "serve", "--database-url", "postgresql://127.0.0.1:1/none")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("owed: cannot connect to the database: ")


def test_a_database_of_a_newer_schema_is_one_line(home: Path) -> None:
    owed(home, "migrate")
    with embedded.running(home) as dsn:
        value(dsn, "INSERT INTO schema_migration (version, name) VALUES (9999, 'unheard of')")
        done = [owed(home, "serve"), owed(home, "serve", "--database-url", dsn)]

    assert [(each.returncode, each.stderr.count("\n")) for each in done] == [(1, 1)] * 2
    assert all("made by a newer Owed" in each.stderr for each in done)


def test_a_database_of_ones_own_is_not_migrated_unasked(home: Path) -> None:
    with embedded.running(home) as dsn:
        done = owed(home, "serve", "--database-url", dsn)

        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "run `owed migrate`" in done.stderr


def test_a_database_of_ones_own_gets_no_demo_merchant(home: Path) -> None:
    with embedded.running(home) as dsn:
        owed(home, "migrate", "--database-url", dsn)
        with serving(home, "--database-url", dsn) as service:
            assert len(service.greeting) == 1

        assert value(dsn, "SELECT count(*) FROM merchant") == 0
