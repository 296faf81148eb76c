"""Join a Ray cluster, or say within seconds why that cannot be."""

import os
import queue
import re
import socket
import subprocess
import sys
import threading

from data_pipeline.extras import how_to_get

LIMIT = 8.0  # seconds in which a cluster has to answer; Ray itself tries for two minutes
PATIENCE = 60.0  # seconds that Ray has to start here, and a cluster that answers to take us in
INSTALL = how_to_get("cluster")

# In a process of its own, which says how far it came: Ray cannot be told to hurry, writes more than
# a line, and ends a process that cannot connect. Its client comes first, by which a cluster answers
# that then takes its time.
_SAYS = "leo_tf: "
_TRIAL = """
import sys, ray
def say(what):
    print(sys.argv[2], " ".join(str(what).split()), sep="", flush=True)
say("started")
try:
    if sys.argv[1] != "auto":
        from ray._raylet import GcsClient
        GcsClient(address=sys.argv[1])
    say("answered")
    ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
    say("joined")
except (Exception, SystemExit) as error:
    say(error)
"""
_STEPS = {"started": PATIENCE, "answered": LIMIT, "joined": PATIENCE}


def connect(address: str) -> None:
    """Make this process a driver of a Ray cluster.

    Args:
      address: HOST:PORT, or auto for the cluster that this machine is a node of.

    Raises:
      ValueError: one line, if Ray is not installed, nothing answers within 10 seconds, or what
        answers does not take this process in.
    """
    _check_form(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would tell its makers
    try:
        import ray
    except ImportError as error:
        raise ValueError(f"--cluster needs Ray ({error}); {INSTALL}") from None
    if ray.is_initialized():
        raise ValueError("this process uses a Ray cluster by now; call ray.shutdown() before")
    if address != "auto":
        _check_port(address)
    _try(address)
    ray.init(address, log_to_driver=False, logging_level="ERROR")


def _check_form(address):
    if address != "auto" and not re.fullmatch(r"[^/\s]+:\d{1,5}", address):
        raise ValueError(
            f"cluster must be HOST:PORT, as ray start --head told, or auto, not {address!r}"
        )


def _check_port(address):
    """Raise a ValueError if nothing listens at an address."""
    found: queue.SimpleQueue = queue.SimpleQueue()
    # In a thread: nobody can be told to hurry who looks up the address of a host.
    threading.Thread(target=_listens, args=(address, found), daemon=True).start()
    try:
        why = found.get(timeout=LIMIT)
    except queue.Empty:
        why = f"nothing within {LIMIT:.0f} s"
    if why:
        raise ValueError(f"no Ray cluster answers at {address} ({why}); start its head")


def _listens(address, found):
    """Put into a queue why nothing listens at an address; "" if something does."""
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), LIMIT).close()
        found.put("")
    except (OSError, OverflowError, UnicodeError) as error:
        found.put(getattr(error, "strerror", None) or str(error))


def _try(address):
    """Raise a ValueError if a process like this one cannot join the cluster in time."""
    lines: queue.SimpleQueue = queue.SimpleQueue()
    command = [sys.executable, "-c", _TRIAL, address, _SAYS]
    hidden = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=hidden, text=True) as trial:
        threading.Thread(target=_read, args=(trial.stdout, lines), daemon=True).start()
        try:
            missed = ((step, _missed(step, lines)) for step in _STEPS)
            step, why = next((each for each in missed if each[1]), ("", None))
        finally:
            trial.kill()
    if why:
        remedy = "give the address that ray start --head told"
        if step == "joined":
            remedy = f"this machine has to be a node of it: ray start --address={address}"
        raise ValueError(f"cannot join the Ray cluster at {address}: {why}; {remedy}")


def _read(output, lines):
    """Put into a queue what a trial says, and an empty line when it ends."""
    for line in output:
        if line.startswith(_SAYS):
            lines.put(line.removeprefix(_SAYS).strip())
    lines.put("")


def _missed(step, lines):
    """Return why a trial does not come to a step; None if it does."""
    try:
        said = lines.get(timeout=_STEPS[step])
    except queue.Empty:
        return f"no answer within {_STEPS[step]:.0f} s, is it Ray that listens there?"
    return None if said == step else said[:300] or "Ray ended without a word"
