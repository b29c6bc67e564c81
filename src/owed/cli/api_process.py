"""What runs in each process that serves the API: the application, and a watch on the process that it works for."""

import multiprocessing
import os
import signal
import threading
import time

from owed.api.app import App
from owed.api.app import create as create_app

DRAIN_SECONDS = 20
"""Seconds that a worker has to answer what it has accepted."""


def create() -> App:
    """Return the ASGI application. A worker of a supervisor leaves when that is gone, however it went."""
    app, supervisor = create_app(), multiprocessing.parent_process()
    if supervisor is not None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the supervisor hears it too, and says what to do
        threading.Thread(target=_leave_after, args=[supervisor, app], daemon=True).start()
    return app


def _leave_after(supervisor: multiprocessing.process.BaseProcess, app: App) -> None:
    """Leave when the supervisor is gone: after draining, or at once where there is nothing to drain yet.

    A worker that still waits for its database would hear no signal, and keep the port from those who could start it.
    """
    supervisor.join()
    if app.is_serving:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(DRAIN_SECONDS)
    os._exit(0)
