"""How a process that works for ever is told to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """The end of the task that makes it: asked to stop, it has some time to finish; at a second signal, it has none.

    Args:
        seconds: That it has to finish. It is cancelled when they are over.
    """

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be asked to stop")
        self.asked = asyncio.Event()
        self._task, self._seconds = task, seconds
        self._loop = asyncio.get_running_loop()
        self._was_signalled = False

    def ask(self) -> None:
        """Ask the task to stop."""
        if not self.asked.is_set():
            self.asked.set()
            self._loop.call_later(self._seconds, self._task.cancel)

    def heed_signals(self) -> None:
        """Have signals ask; not those that whoever started this process has told it to ignore, as nohup does."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._signalled)

    def heed_end_of(self, stream: int) -> None:
        """Have the end of a stream ask."""
        self._loop.add_reader(stream, self._ended, stream)

    async def pause(self, seconds: float) -> None:
        """Pause, though not beyond the time to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.asked.wait()

    def _signalled(self) -> None:
        if self._was_signalled:
            self._task.cancel()
        self._was_signalled = True
        self.ask()

    def _ended(self, stream: int) -> None:
        self._loop.remove_reader(stream)
        self.ask()


def run(work: Callable[[Stopping], Awaitable[None]], seconds: float, stream: int | None = None) -> None:
    """Do some work that ends when it is asked to: by a signal, or by the end of a stream."""

    async def heeding() -> None:
        stop = Stopping(seconds)
        stop.heed_signals()
        if stream is not None:
            stop.heed_end_of(stream)
        await work(stop)

    with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(heeding())
