"""A Ray cluster of nodes on this machine, some of which may see less of its disk than others."""

import contextlib
import ctypes
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from commands import environment

from leo_tf.training.run_folder import RunFolder

PATIENCE = 600  # seconds for a node to start; ten on idle cores
RAY = Path(sys.executable).with_name("ray")


def can_hide():
    """Return whether a process here can be given a file system of its own."""
    return shutil.which("unshare") and not subprocess.run(["unshare", "-m", "true"]).returncode


class Node:
    """A node of one CPU, with caches and temporary files of its own.

    Args:
      folder: of these, and of what the node prints.
      options: of `ray start`.
      hidden: folders that are empty for this node.
    """

    def __init__(self, folder, options, hidden=()):
        self.caches, self.temporary = folder / "cache", folder / "tmp"
        self.temporary.mkdir(parents=True)
        command = [RAY, "start", "--block", "--num-cpus=1", "--object-store-memory=100000000"]
        command = [*command, "--disable-usage-stats", *options]
        if hidden:
            mounts = [f"mount -t tmpfs none {shlex.quote(str(path))}" for path in hidden]
            script = " && ".join([*mounts, f"exec {shlex.join(map(str, command))}"])
            command = ["unshare", "-m", "sh", "-c", script]
        own = {"XDG_CACHE_HOME": self.caches, "TMPDIR": self.temporary, "RAY_worker_niceness": "0"}
        own["RAY_raylet_start_wait_time_s"] = str(PATIENCE)
        self.log = folder / "log.txt"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment(), **own},
                preexec_fn=_end_with_the_tests,
            )

    def await_start(self):
        """Wait until the node is of the cluster; returns it."""
        late = time.monotonic() + PATIENCE
        while "Ray runtime started" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < late
            time.sleep(0.2)
        return self

    def processes(self):
        """Return all processes of the node."""
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def kill(self):
        """Kill all processes of the node, as a loss of power does."""
        for each in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait()

    def trained(self, least):
        """Return the folder that a job here has trained in for so many steps, or None."""
        for each in self.processes():
            with contextlib.suppress(psutil.Error, OSError):
                for file in each.open_files():
                    folder = trains_in(Path(file.path))
                    if (
                        folder
                        and max(RunFolder(folder).steps_saved(), default=0) >= least
                        and not RunFolder(folder).result.exists()
                    ):
                        return folder
        return None


def trains_in(log):
    """Return the folder of the training that writes a log, of a run or of a trial; or None."""
    if log.name == "log.txt":
        return log.parent
    return log.parents[1] / "running" / log.stem if log.parent.name == "logs" else None


def _end_with_the_tests():
    """Have Linux end a node in order when the tests are killed."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def cluster(folder, workers, hidden=()):
    """Start a head and some workers; yields the address and all nodes, the head first.

    Args:
      folder: for what they write.
      workers: how many.
      hidden: folders that the workers do not see.
    """
    with contextlib.ExitStack() as stack:
        # Paths of sockets have a hundred characters at most.
        short = stack.enter_context(tempfile.TemporaryDirectory(prefix="leo", dir="/tmp"))
        port, client = _free_port(), _free_port()
        options = ["--head", "--node-ip-address=127.0.0.1", f"--port={port}"]
        options += ["--include-dashboard=false", f"--temp-dir={short}"]
        nodes = [Node(folder / "head", [*options, f"--ray-client-server-port={client}"])]
        stack.callback(nodes[0].kill)
        nodes[0].await_start()
        address = f"127.0.0.1:{port}"
        for number in range(workers):  # one by one: at once, two may choose the same socket
            nodes.append(Node(folder / f"node{number}", [f"--address={address}"], hidden))
            stack.callback(nodes[-1].kill)
            nodes[-1].await_start()
        yield address, nodes


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
