"""`owed serve`: a listening socket, a database, and the processes between them."""

import errno
import os
import signal
import socket
import sys
import time
from multiprocessing.connection import wait
from typing import Annotated

import typer
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from owed.api.shared_metrics import SERVICE
from owed.cli import demo, session
from owed.cli.api_process import DRAIN_SECONDS
from owed.cli.delivery_process import DeliveryProcess, delivery_process
from owed.cli.errors import Refused
from owed.cli.options import DatabaseUrl, DataDir, settings_from
from owed.logs import configure
from owed.settings import PREFIX, Settings
from owed.webhooks.sender import trusting

BACKLOG = 2048
PORT_PATIENCE = 1.5
"""Seconds to wait for a port: the workers of a service that was killed may take a moment to leave it."""

Host = Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="The port to listen on.", show_default="8000")]
Workers = Annotated[int | None, typer.Option(help="How many processes share the port.", show_default="1")]
Deliveries = Annotated[
    bool | None,
    typer.Option("--deliveries/--no-deliveries", help="Whether to deliver webhooks too.", show_default="deliveries"),
]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    deliveries: Deliveries = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM, and finish what is under way before leaving."""
    settings = settings_from(
        host=host, port=port, workers=workers, deliveries=deliveries, data_dir=data_dir, database_url=database_url
    )
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    trusting(settings.webhook_ca_bundle)  # each process will: better refused here, and once
    with bound(settings) as listener:
        failed = _serve(settings, listener)
    raise SystemExit(1 if failed else 0)


def _serve(settings: Settings, listener: socket.socket) -> bool:
    """Serve until told to stop, and tell whether it was a failure to start instead."""
    configure(settings.log)
    with session.current(settings) as dsn:
        _hand_down(settings, dsn)
        listener.listen(BACKLOG)
        url = url_of(listener)
        if not settings.database_url:
            demo.welcome(dsn, url)
        typer.echo(f"Owed listens on {url}, and explains itself on {url}/docs. Ctrl-C stops it.")
        with delivery_process(wanted=settings.deliveries, attempt_seconds=settings.webhook_timeout) as deliveries:
            try:
                return _run(settings, listener, deliveries)
            finally:  # what is left to do is short, and better done than interrupted
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _hand_down(settings: Settings, dsn: str) -> None:
    """Give the workers what they read from their environment, in place of what a flag has overruled there."""
    os.environ[f"{PREFIX}DATABASE_URL"] = dsn
    os.environ[f"{PREFIX}WORKERS"] = str(settings.workers)
    os.environ[f"{PREFIX}HOST"] = settings.host  # what webhooks may reach depends on it
    os.environ[f"{PREFIX}PORT"] = str(settings.port)  # nobody uses it, but one that cannot be read would stop them
    os.environ[SERVICE] = str(os.getpid()) if settings.workers > 1 or settings.deliveries else ""


def _run(settings: Settings, listener: socket.socket, deliveries: DeliveryProcess | None) -> bool:
    config = uvicorn.Config(
        "owed.cli.api_process:create",
        factory=True,
        http="owed.api.protocol:Protocol",
        ws="none",
        loop="uvloop",
        lifespan="on",
        interface="asgi3",
        workers=settings.workers,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    if settings.workers == 1:
        server = Server(config, deliveries)
        try:
            server.run(sockets=[listener])
        except SystemExit as told:  # uvicorn raises the signal again that ended it
            return bool(told.code)
        return not server.started
    supervisor = Supervisor(config, sockets=[listener], deliveries=deliveries)
    supervisor.run()
    return any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)


class Server(uvicorn.Server):
    """The API in this process: webhooks start when it has, and stop while it drains."""

    def __init__(self, config: uvicorn.Config, deliveries: DeliveryProcess | None) -> None:
        super().__init__(config)
        self._deliveries = deliveries

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self._deliveries is not None:
            self._deliveries.begin()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has been accepted."""
        if self._deliveries is not None:
            self._deliveries.dismiss()
        await super().shutdown(sockets)


class Supervisor(Multiprocess):
    """Replaces workers that die or hang, and waits for none for ever."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], deliveries: DeliveryProcess | None
    ) -> None:
        super().__init__(config, sockets)
        self._deliveries = deliveries

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died, or hang; webhooks start when the first of them has."""
        if self.should_exit.is_set():
            return
        for worker in self.processes:
            if has_started(worker, self.config.timeout_worker_healthcheck) is None:
                worker.process.kill()
                worker.process.join()
        super().keep_subprocess_alive()
        if self._deliveries is not None and not self._deliveries.has_begun and self._is_ready():
            self._deliveries.begin()

    def terminate_all(self) -> None:
        """Ask every worker to drain and leave; one that hangs cannot. The port refuses whoever comes from now on."""
        if self._deliveries is not None:
            self._deliveries.dismiss()
        for listener in self.sockets:
            listener.close()
        for worker in self.processes:
            if has_started(worker, self.config.timeout_worker_healthcheck) is None:
                worker.kill()
            else:
                worker.terminate()

    def join_all(self) -> None:
        """Wait for every worker to drain, and end those that do not."""
        deadline = time.monotonic() + DRAIN_SECONDS + 5
        for worker in self.processes:
            worker.process.join(max(0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.kill()
                worker.process.join()

    def handle_hup(self) -> None:
        """Stop: the terminal is gone."""
        self.handle_term()

    def _is_ready(self) -> bool:
        return any(has_started(worker, self.config.timeout_worker_healthcheck) for worker in self.processes)


def has_started(worker: Process, seconds: float) -> bool | None:
    """Ask a worker whether it serves; None where it hangs. One that ends does not, and nobody waits for its answer."""
    answer, end = worker.parent_conn, worker.process.sentinel
    answer.send(b"ping")
    ready = wait([answer, end], seconds)
    if answer in ready:
        return bool(answer.recv())
    return False if ready else None


def bound(settings: Settings) -> socket.socket:
    """Return a socket bound to the host and port, so that a port in use is known before anything starts.

    Raises:
        Refused: It cannot be bound, and why.
    """
    deadline = time.monotonic() + PORT_PATIENCE
    while True:
        try:
            return _bind(settings)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                reason = (error.strerror or str(error)).lower()
                raise Refused(f"cannot listen on {settings.host} port {settings.port}: {reason}") from error
            time.sleep(0.1)


def _bind(settings: Settings) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return a URL under which this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (a comparison)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
