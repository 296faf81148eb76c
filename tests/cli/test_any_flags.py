"""Flags of every command with values that nobody would mean: taken, or refused in a line."""

import json
import subprocess
import sys

import pytest
from any_flags import COMMANDS
from commands import TOP, environment


def tried(folder, examples):
    """Return {command: {how it ended: how often}, or what was wrong}."""
    done = subprocess.run(
        [sys.executable, TOP / "tests" / "any_flags.py", folder, str(examples)],
        capture_output=True,
        text=True,
        timeout=3600,
        env={**environment(), "PYTHONPATH": f"{TOP / 'tests'}:{TOP}"},
    )
    return dict(json.loads(line) for line in done.stdout.splitlines()), done.stderr


@pytest.mark.parametrize("examples", [8, pytest.param(1000, marks=pytest.mark.long)])
def test_any_values_of_flags_are_taken_or_refused_in_a_line(tmp_path, examples):
    found, told = tried(tmp_path, examples)
    assert [*found] == COMMANDS, told
    wrong = {name: ends for name, ends in found.items() if isinstance(ends, str)}
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in wrong.items())
    assert all(sum(ends.values()) >= examples for ends in found.values())
    if examples > 100:
        assert all("2" in ends for ends in found.values())
