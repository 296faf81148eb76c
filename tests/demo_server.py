"""The demo's server as its command starts it, and requests as its page, or another, sends them."""

import base64
import contextlib
import http.client
import json
import subprocess

import numpy as np
from commands import TOP, arguments, environment


@contextlib.contextmanager
def serving(**options):
    """Start the command; yields its port."""
    process = subprocess.Popen(
        [*arguments("leo_tf.demo", port=0), "--nobrowser"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        **{"cwd": TOP, **options},
    )
    try:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:"), address
        yield int(address.rstrip("/").rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


def ask(port, path, body=None, kind="application/json", **headers):
    """Send a request; returns the status, the headers, and what the body says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body) if isinstance(body, dict) else body
    if data is not None:
        given.setdefault("Content-Type", kind)
    try:
        connection.request("GET" if data is None else "POST", path, data, given)
        response = connection.getresponse()
        text = response.read()
        is_json = response.headers["Content-Type"].startswith("application/json")
        return response.status, response.headers, json.loads(text) if is_json else text.decode()
    finally:
        connection.close()


def written(row):
    """Write an embedding as the page sends it."""
    return base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()


def question(tab, number, classes, **query):
    """A request for an answer: classes are lists of embeddings."""
    support = [[written(row) for row in examples] for examples in classes]
    return {"tab": tab, "number": number, "classes": support, **query}
