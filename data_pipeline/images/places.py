"""Where a network can be cut: the layers that all it computes passes through."""

import re
from typing import Any

import keras

# What follows a convolution or a sum and belongs to it: it is cut behind these.
_TAILS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.Dropout,
)
_NO_PLACES = (
    keras.layers.InputLayer,
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.ZeroPadding2D,
    keras.layers.Flatten,
)


def find(model: keras.Model) -> dict[str, Any]:
    """List the places where a functional model can be cut, first to last, its output among them.

    A place is the output of a layer that no connection goes around: the end of a residual block,
    not its inside. Of a convolution and the normalisation and activation behind it, it is the last.

    Returns:
      {name: tensor [n, height, width, channels] or [n, dim]}; names are those of the layers in a
      process that has made no other network.
    """
    output = model.outputs[0]
    try:
        steps = [(each, _tensors(each.input), each.output) for each in model.operations]
    except (AttributeError, ValueError):  # a layer that is used twice
        return {model.layers[-1].name: output}
    position = {id(out): place for place, (_, _, out) in enumerate(steps)}
    last_use = [0] * len(steps)
    follower: list[Any] = [None] * len(steps)
    for place, (operation, inputs, _) in enumerate(steps):
        for tensor in inputs:
            if (source := position.get(id(tensor))) is not None and source != place:
                last_use[source] = max(last_use[source], place)
                follower[source] = operation
    names = _names(model)
    found, open_until = {}, 0
    for place, (operation, _, out) in enumerate(steps):
        passes_all = open_until <= place
        open_until = max(open_until, last_use[place])
        plain = not isinstance(out, list | tuple | dict) and len(out.shape) in (2, 4)
        kept = not isinstance(operation, _NO_PLACES) and not isinstance(follower[place], _TAILS)
        if (passes_all and plain and kept) or out is output:
            found[names[operation.name]] = out
    return found


def _tensors(inputs):
    """Return what an operation takes as a list."""
    return inputs if isinstance(inputs, list | tuple) else [inputs]


def _names(model):
    """Return {name: name in a fresh process} of operations.

    Keras numbers what has no name of its own, "conv2d_7", on and on within a process.
    """
    numbers: dict[str, list[int]] = {}
    parts = {}
    for operation in model.operations:
        match = re.fullmatch(r"(\w*?)(?:_(\d+))?", operation.name)
        if match and match[1].replace("_", "") == type(operation).__name__.lower():
            parts[operation.name] = match[1], int(match[2] or 0)
            numbers.setdefault(match[1], []).append(int(match[2] or 0))
    found = {operation.name: operation.name for operation in model.operations}
    for name, (kind, number) in parts.items():
        left = number - min(numbers[kind])
        found[name] = f"{kind}_{left}" if left else kind
    return found
