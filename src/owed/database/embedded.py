"""A private PostgreSQL in a directory: the first who needs it starts it, the last one out stops it.

It listens on a Unix socket only. It leads a session of its own, so that Ctrl-C in a terminal does not reach it before
those who use it are done, and it outlives a killed user: the next one adopts it.
"""

import fcntl
import hashlib
import logging
import os
import shlex
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil

from owed.database import DatabaseError
from owed.database.accounts import Account
from owed.database.binaries import Binaries

logger = logging.getLogger(__name__)

USER = "owed"
PORT = 5432  # only a part of the name of the socket
SOCKET = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 100  # a socket's address holds 104 bytes or 108, by system
START_SECONDS = 600  # after a crash it replays its log first
ORPHAN_SECONDS = 5

SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": 150,
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "random_page_cost": 1.1,
    "jit": "off",
    "idle_in_transaction_session_timeout": "30s",
    "client_connection_check_interval": "1s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # An error's detail and statement may hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_min_messages": "log",  # an error of a statement is its worker's to handle, and to log where it matters
}


@contextmanager
def running(home: Path) -> Iterator[str]:
    """Have PostgreSQL run on the directory `home` for as long as the block lasts, and again whenever it dies.

    Yields:
        How to connect to it.

    Raises:
        DatabaseError: It cannot, and why.
    """
    try:
        server = Server(home)
        users = server.users.open("a")
    except OSError as error:
        raise DatabaseError(f"cannot use {home}: {(error.strerror or str(error)).lower()}") from error
    with users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            server.ensure()
            with _guarded(server):
                yield server.dsn
        finally:
            server.leave(users)


@contextmanager
def _guarded(server: "Server") -> Iterator[None]:
    """Look after the server once a second, beside what the block does."""
    over = threading.Event()

    def look_after() -> None:
        while not over.wait(1):
            try:
                server.ensure()
            except DatabaseError as error:
                logger.error("%s", error)  # noqa: TRY400  (one line says it all)

    guard = threading.Thread(target=look_after, daemon=True)
    guard.start()
    try:
        yield
    finally:
        over.set()
        guard.join()


class Server:
    """The PostgreSQL on one directory, whether it runs or not."""

    def __init__(self, home: Path) -> None:
        self.home = _made(home)
        self.data = self.home / "postgres"
        self.users = self.home / "postgres.users"
        self.account = Account.serving(self.data)
        if not self.account.reaches(self.home):
            raise DatabaseError(
                f"PostgreSQL refuses to run as root, and the account {self.account.name} cannot enter {self.home}: "
                "choose another directory with --data-dir or OWED_DATA_DIR"
            )
        self.sockets = self._socket_directory()

    @property
    def dsn(self) -> str:
        return f"postgresql://{USER}@/postgres?host={quote(str(self.sockets), safe='')}&port={PORT}"

    def ensure(self) -> None:
        """Start the server unless it runs; cheap when it does.

        Raises:
            DatabaseError: It does not start, and why.
        """
        if self.is_ready():
            return
        with self._alone():
            if not self._adopted():
                self._bury()
                self._start()

    def leave(self, users: IO[str]) -> None:
        """Stop the server unless there is another user, who would hold the lock on `users` too."""
        with self._alone():
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if self._postmaster():
                self.account.run(self._program("pg_ctl"), "stop", "-D", self.data, "-m", "fast", "-t", "60")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.home / "postgres.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _program(self, name: str) -> Path:
        return Binaries.find(self.home, self.data, self.account).directory / name

    # What runs already

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        return self._status() == "ready" and self._listens()

    def _status(self) -> str:
        """Return what the server last wrote about itself, which a killed one cannot take back."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip()
        except (FileNotFoundError, IndexError):
            return ""

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            try:
                probe.connect(str(self.sockets / SOCKET))
            except TimeoutError:  # too busy to take another connection, but there
                return True
            except OSError:
                return False
            return True

    def _serves(self, process: psutil.Process) -> bool:
        """Tell whether a process is one of this server's. A zombie, or another that got its number, is not."""
        try:
            return process.name().startswith("postgres") and self.data.samefile(process.cwd())
        except (psutil.Error, OSError):
            return False

    def _postmaster(self) -> psutil.Process | None:
        try:
            number = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(number)
        except (FileNotFoundError, ValueError, psutil.Error):
            return None
        return process if self._serves(process) else None

    def _adopted(self) -> bool:
        """Wait for a server that is there to be ready, and tell whether there was one that did not go away."""
        deadline = time.monotonic() + START_SECONDS
        while self._listens() or self._postmaster():
            if self.is_ready():
                return True
            if time.monotonic() > deadline:
                raise DatabaseError(f"the PostgreSQL in {self.data} runs but does not answer; stop it and try again")
            time.sleep(0.02)
        return False

    # From nothing to ready

    def _bury(self) -> None:
        """See the children of a killed server off, for they still write, and remove the marks that it left behind.

        PostgreSQL would heed a mark whose process number is in use again, even if only by a zombie.
        """
        marks = [self.data / "postmaster.pid", self.sockets / f"{SOCKET}.lock"]
        if not any(mark.exists() for mark in marks):
            return
        orphans = [process for process in psutil.process_iter() if self._serves(process)]
        deadline = time.monotonic() + ORPHAN_SECONDS
        while orphans := [process for process in orphans if self._serves(process)]:
            if time.monotonic() > deadline:  # stopped, or waiting for a disk: it will not write once it goes on
                for process in orphans:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            time.sleep(0.02)
        for mark in marks:
            mark.unlink(missing_ok=True)

    def _start(self) -> None:
        if not self.data.exists():
            self._initialise()
        settings = {**SETTINGS, "unix_socket_directories": self.sockets}
        options = shlex.join(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        log = self.data / "server.log"
        told = log.stat().st_size if log.exists() else 0
        answer = self.account.run(
            self._program("pg_ctl"), "start", "-w", "-t", str(START_SECONDS), "-D", self.data, "-l", log, "-o", options
        )
        if answer.returncode != 0:
            raise DatabaseError(f"PostgreSQL does not start: {_reason(log, told) or answer.stderr.strip()}")

    def _initialise(self) -> None:
        """Make the data directory under another name first, so that a half-made one is never taken for whole."""
        unfinished = self.home / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self.account.adopt(unfinished)
        answer = self.account.run(
            self._program("initdb"), "-D", unfinished, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"
        )
        if answer.returncode != 0:
            raise DatabaseError(f"PostgreSQL cannot make its data directory: {answer.stderr.strip().splitlines()[-1]}")
        unfinished.rename(self.data)

    def _socket_directory(self) -> Path:
        """Return the data directory, which nobody else may enter, or a private one where that has too long a path."""
        if len(os.fsencode(self.data / SOCKET)) <= LONGEST_SOCKET_PATH:
            return self.data
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        directory = Path("/tmp", f"owed-{digest}")  # noqa: S108  (its owner and mode are checked)
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            self.account.adopt(directory)
        found, owner = directory.lstat(), os.geteuid() if self.account.uid is None else self.account.uid
        if found.st_uid != owner or found.st_mode != 0o40700:
            raise DatabaseError(f"{directory} is not ours alone: remove it, or choose a shorter --data-dir")
        return directory


def _made(home: Path) -> Path:
    """Make the directory; root's can be passed through, for PostgreSQL runs there as another account."""
    fresh = not home.exists()
    home.mkdir(parents=True, exist_ok=True)
    if fresh:
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return home.resolve()


def _reason(log: Path, told: int) -> str:
    """Return what the server said last about why it stopped, in what it wrote after the first `told` bytes."""
    try:
        lines = log.read_bytes()[told:].decode(errors="replace").splitlines()
    except OSError:
        return ""
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return fatal[-1] if fatal else ""
