"""The delivery worker of `owed serve`: a process beside those of the API, and another when it dies."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger("owed.deliveries")

COMMAND: Final = [sys.executable, "-P", "-m", "owed.cli.delivering"]  # -P: nothing of the directory it is started in

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
"""Seconds before another takes the place of one that died: twice as long each time, unless it had been at work."""

AT_WORK: Final = 5.0
"""Seconds after which one has plainly started well."""

PATIENCE: Final = 5.0
"""Seconds beyond those of its last attempts that it has to leave."""


class DeliveryProcess:
    """One process that delivers webhooks, from when it is wanted to when it no longer is.

    Its standard input is a pipe of which we have the other end, and which closes when it is to leave: when we say so,
    and also when we are gone, however we went.
    """

    def __init__(self) -> None:
        self._to_hear, self._to_close = os.pipe()
        self._begun, self._unwanted = threading.Event(), threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def has_begun(self) -> bool:
        """Tell whether it has been started."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Start it, if that has not been done yet."""
        self._begun.set()

    def dismiss(self) -> None:
        """Tell it to take up nothing more and to leave, without waiting for that."""
        if not self._unwanted.is_set():
            self._unwanted.set()
            self._begun.set()
            os.close(self._to_close)

    def see_off(self, seconds: float) -> None:
        """Wait until it has left, and end it if it does not."""
        self.dismiss()
        self._thread.join(seconds)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()
        os.close(self._to_hear)

    def _keep(self) -> None:
        pause = FIRST_PAUSE
        self._begun.wait()
        while not self._unwanted.is_set():
            started = time.monotonic()
            how = self._run()
            pause = FIRST_PAUSE if time.monotonic() - started > AT_WORK else min(2 * pause, LONGEST_PAUSE)
            if not self._unwanted.wait(pause):
                logger.warning("the delivery worker has ended (%s): another takes its place", how)

    def _run(self) -> str:
        """Run one to its end, and tell how it went."""
        try:
            self._process = subprocess.Popen(COMMAND, stdin=self._to_hear, stdout=subprocess.DEVNULL)  # noqa: S603
        except OSError as error:  # no memory, or too many processes, for the moment
            return str(error)
        return f"exit code {self._process.wait()}"


@contextmanager
def delivery_process(*, wanted: bool, attempt_seconds: float) -> Iterator[DeliveryProcess | None]:
    """Have webhooks delivered beside what the block does, if that is wanted.

    Args:
        attempt_seconds: That an attempt may take.
    """
    process = DeliveryProcess() if wanted else None
    try:
        yield process
    finally:
        if process is not None:
            process.see_off(attempt_seconds + PATIENCE)
