"""What runs in each worker process: the application, and a watch on the process that it works for."""

import multiprocessing
import os
import signal
import threading
from typing import Any

from owed.api.app import create as create_app


def create() -> Any:
    """Return the ASGI application. A worker of a supervisor leaves when that is gone, however it went."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the supervisor hears it too, and says what to do
        threading.Thread(target=_leave_after, args=[supervisor], daemon=True).start()
    return create_app()


def _leave_after(supervisor: multiprocessing.process.BaseProcess) -> None:
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
