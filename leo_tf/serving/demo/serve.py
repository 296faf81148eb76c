"""Serve the demo on this machine, to this machine alone, until Ctrl-C."""

import contextlib
import os
import socket
import sys
import webbrowser

import uvicorn

from leo_tf.serving.demo import app

HOST = "127.0.0.1"
MOST_CONNECTIONS = 128
SECONDS_TO_END = 2  # that an answer which is being computed has left after Ctrl-C


def serve(port: int, browser: bool) -> None:
    """Serve until Ctrl-C.

    Args:
      port: 0 for any that is free.
      browser: whether to open the page.

    Raises:
      ValueError: one line, if the port is taken or there is no model.
    """
    application = app.make()
    with _listening(port) as listening:
        url = f"http://{HOST}:{listening.getsockname()[1]}/"
        print(f"{url}  (Ctrl-C ends it)", flush=True)
        if browser and _has_screen():
            webbrowser.open(url)
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=SECONDS_TO_END,
        )
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once it has ended
            uvicorn.Server(config).run(sockets=[listening])


def _listening(port):
    """Return a socket of this machine's own that takes connections."""
    # With the protocol named, asyncio turns Nagle's algorithm off: else, an answer's body waits
    # 40 ms for the browser to acknowledge its headers.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # On Windows the option would share the port with another program.
    if os.name == "posix":
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise ValueError(
            f"--port={port}: {error.strerror}; take another, or 0 for any that is free"
        ) from None
    found.listen()
    return found


def _has_screen():
    """Return whether a browser would have a window, and not take over the terminal."""
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
