"""The command `owed` as its users run it: as processes, or here where a process of its own would tell no more."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from owed.cli.app import main

OWED = [sys.executable, "-m", "owed"]


def environment(home: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OWED_")}
    return {**ours, "OWED_DATA_DIR": str(home), "OWED_PORT": "0", "OWED_DELIVERIES": "false"}


def owed(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = {**environment(home), **settings}
    return subprocess.run([*OWED, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)


def owed_here(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process, which saves most of the time that it takes."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [each for each in os.environ if each.startswith("OWED_")]:
            patch.delenv(name)
        for name, value in {**environment(home), **settings}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["owed", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return subprocess.CompletedProcess(sys.argv, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON that a command has printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def owed_json(home: Path, *arguments: str) -> Any:
    """Run a command that prints JSON."""
    return json_of(owed(home, *arguments, "--json"))


@dataclass
class Serving:
    """A running `owed serve`, in a process group of its own as a shell would have it."""

    process: subprocess.Popen[str]
    greeting: list[str] = field(default_factory=list)
    url: str = ""

    def wait_until_listening(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.greeting.append(line.rstrip())
            if found := re.search(r"Owed listens on (http://\S+?),", line):
                self.url = found[1]
                return
        raise AssertionError("owed serve ended before it listened")

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Ask the service, which may still be starting."""
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=30) as answer:
            return answer.status, answer.read()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that serve beside this one."""
        return [child for child in psutil.Process(self.process.pid).children() if is_worker(child)]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the process and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def press_ctrl_c(self) -> int:
        """Do what a terminal does: tell the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has just died
        return False


@contextmanager
def serving(home: Path, *arguments: str, **settings: str) -> Iterator[Serving]:
    """Run `owed serve` on a free port, and kill it at the end if it still runs."""
    env = {**environment(home), **settings}
    with subprocess.Popen(
        [*OWED, "serve", *arguments], env=env, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        service = Serving(process)
        try:
            service.wait_until_listening()
            yield service
        finally:
            process.kill()


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def is_stopped(home: Path) -> bool:
    return not (home / "postgres" / "postmaster.pid").exists()


def wait_until(happened: Any, seconds: float = 30) -> None:
    """Wait for something that nobody tells us of."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
