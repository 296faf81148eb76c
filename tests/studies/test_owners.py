"""Whether the owner of a trial lives, though clocks jump and numbers of processes come back."""

import subprocess
import sys

import psutil
import pytest

from leo_tf.studies.owners import Process


@pytest.mark.parametrize("jump", [-86400.0, -1.0, 3600.0])
def test_a_process_lives_whatever_becomes_of_the_clock(monkeypatch, jump):
    """The system tells both the machine's start and the process's by the clock."""
    here, of_process, of_machine = Process.here(), psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: of_process(self) + jump)
    monkeypatch.setattr(psutil, "boot_time", lambda: of_machine() + jump)
    assert here.lives and Process(*here) == here


def test_a_process_that_ended_or_whose_number_another_has_does_not_live():
    here = Process.here()
    assert not here._replace(began=here.began - 5).lives
    assert not here._replace(boot="before the machine was started again").lives
    assert not here._replace(host="elsewhere").lives
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    of_child = psutil.Process(child.pid).create_time() - psutil.boot_time()
    other = here._replace(number=child.pid, began=of_child)
    assert other.lives
    child.kill()
    child.communicate()
    assert not other.lives
