"""How TensorFlow Serving's REST layer reads a request, calls a signature and writes the answer.

Its rules, not its code (column format alone): every input of the signature is named, lists are
regular, numbers are numbers and booleans booleans; one output comes bare, several by name.
"""

import contextlib
import http.server
import json
import threading

import tensorflow as tf


class RequestError(ValueError):
    """What the server answers with status 400."""


def predict(loaded, body):
    """Answer a request to `:predict`: JSON in, JSON out."""
    request = json.loads(body)
    if not isinstance(request, dict) or "inputs" not in request:
        raise RequestError("Missing 'inputs' or 'instances' key")
    name = request.get("signature_name", "serving_default")
    if name not in loaded.signatures:
        raise RequestError(f"Serving signature key {name!r} not found")
    signature = loaded.signatures[name]
    specs = signature.structured_input_signature[1]
    given = request["inputs"]
    if not isinstance(given, dict):
        if len(specs) > 1:
            raise RequestError("inputs is a plain value/list, but expecting an object")
        given = {next(iter(specs)): given}
    if missing := specs.keys() - given.keys():
        raise RequestError(f"Missing named input: {missing} in 'inputs' object")
    tensors = {key: _tensor(given[key], spec) for key, spec in specs.items()}
    found = {key: tensor.numpy().tolist() for key, tensor in signature(**tensors).items()}
    return json.dumps({"outputs": found if len(found) > 1 else next(iter(found.values()))})


def _tensor(value, spec):
    """Make a tensor of nested lists, of a spec's type and no other shape than it allows."""
    shape, level = [], value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    flat = list(_values(value, shape))
    for each in flat:
        is_bool = isinstance(each, bool)
        fits = is_bool if spec.dtype == tf.bool else isinstance(each, int | float) and not is_bool
        if not fits:
            raise RequestError(f"JSON Value: {each} is not of expected type: {spec.dtype.name}")
    if not spec.shape.is_compatible_with(shape):
        raise RequestError(f"{spec.name} has shape {shape}, {spec.shape} is expected")
    return tf.reshape(tf.constant(flat, spec.dtype), shape)


def _values(value, shape):
    if not shape:
        if isinstance(value, list):
            raise RequestError("Encountered list at unexpected level")
        yield value
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise RequestError("Encountered list at unexpected size")
    for each in value:
        yield from _values(each, shape[1:])


@contextlib.contextmanager
def served(loaded, name):
    """Serve a model at `/v1/models/NAME:predict`; yields host and port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                if self.path != f"/v1/models/{name}:predict":
                    raise RequestError(f"Malformed request: POST {self.path}")
                status, answer = 200, predict(loaded, body)
            except RequestError as error:
                status, answer = 400, json.dumps({"error": str(error)})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
