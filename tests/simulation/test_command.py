import re
from pathlib import Path

import pytest

from tests.cli.programs import owed_here
from tests.simulation import bugs


def test_it_says_how_much_was_simulated_and_that_all_held(tmp_path: Path) -> None:
    done = owed_here(tmp_path, "simulate", "--seed", "3", "--steps", "250")

    assert done.returncode == 0
    counts = r"250 steps in 2 worlds, \d+ requests, \d+ faults, \d+ payments"
    assert re.fullmatch(rf"All held: {counts}, \d+\.\d s\.\n", done.stdout)


def test_it_prints_the_shortest_trace_of_what_failed_and_how_to_see_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bugs.clients_hear_before_the_commit(monkeypatch)
    done = owed_here(tmp_path, "simulate", "--seed", "1", "--steps", "3000")

    assert done.returncode == 1
    assert "The shortest trace that still does:\n   1. " in done.stdout
    (again,) = re.findall(r"Repeat with --seed 1 --steps (\d+)\.\n$", done.stdout)
    repeated = owed_here(tmp_path, "simulate", "--seed", "1", "--steps", again)
    assert repeated.stdout == done.stdout


def test_it_needs_at_least_one_step(tmp_path: Path) -> None:
    assert owed_here(tmp_path, "simulate", "--steps", "0").returncode == 2
