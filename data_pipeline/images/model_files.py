"""Networks of a user's own: Keras files and SavedModels.

Loading one runs its code. Both are programs: do it only with files whose maker is trusted.
"""

import hashlib
import os

import keras
import tensorflow as tf

from data_pipeline import paths
from data_pipeline.images import places
from data_pipeline.images import wide_resnet as wide_resnet  # registers the layer that its own have
from data_pipeline.images.network import OUTPUT, Network
from data_pipeline.plain_path import PlainPath

_SIZE = 224  # where a model takes any size
_ENDPOINT = "serving_default"


def load(path: str | os.PathLike) -> Network:
    """Return the network of a .keras file or the folder of a SavedModel. Its code runs.

    It takes pictures with values 0 to 255 and prepares them itself.

    Raises:
      FileNotFoundError, ValueError: there is none, it cannot be loaded, or takes something else
        than pictures.
    """
    given, path = str(path), paths.expand(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise ValueError(f"{path}: is a folder without saved_model.pb; name a SavedModel")
    try:
        model, identity = _saved_model(path) if path.is_dir() else _keras_file(path)
    except Exception as error:  # it may be anything, and so may its code
        told = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: cannot be loaded ({told})") from None
    pictures = _pictures(model, path)
    found = {OUTPUT: model.output} if path.is_dir() else places.find(model)
    last = list(found)[-1]
    if len(found[last].shape) not in (2, 4):
        raise ValueError(
            f"{path}: returns {found[last].shape}; [n, dim] or a feature map is needed"
        )
    return Network(
        model,
        prepare=lambda values: keras.ops.cast(values, model.inputs[0].dtype),
        size=pictures[0],
        channels=pictures[1],
        weights=given,
        layers=found,
        layer=last,
        identity=identity,
    )


def _keras_file(path):
    """Return the model of a file, and what says which program it is."""
    model = keras.models.load_model(path, compile=False)
    return model, model.to_json()


def _saved_model(path):
    """Return a SavedModel as a Keras model, and what says which program it is."""
    plain = PlainPath(path)
    loaded = tf.saved_model.load(str(plain))
    if _ENDPOINT not in loaded.signatures:
        raise ValueError(f"it has no signature {_ENDPOINT}")
    taken = list(loaded.signatures[_ENDPOINT].structured_input_signature[1].values())
    if len(taken) != 1 or taken[0].shape.rank is None:
        raise ValueError("it does not take one batch of pictures")
    inputs = keras.Input(taken[0].shape[1:], dtype=taken[0].dtype.name)
    outputs = keras.layers.TFSMLayer(str(path), call_endpoint=_ENDPOINT)(inputs)
    if isinstance(outputs, dict):
        if len(outputs) != 1:
            raise ValueError(f"it returns {', '.join(sorted(outputs))}; one output is needed")
        (outputs,) = outputs.values()
    program = hashlib.sha256((path / "saved_model.pb").read_bytes()).hexdigest()
    return keras.Model(inputs, outputs), program


def _pictures(model, path):
    """Return the size and channels of the pictures that a model takes."""
    shapes = [tuple(each.shape) for each in model.inputs or ()]
    if len(shapes) != 1 or len(model.outputs) != 1:
        raise ValueError(f"{path}: must take one batch of pictures, and return one of embeddings")
    if len(shapes[0]) != 4 or shapes[0][3] not in (1, 3) or shapes[0][1] != shapes[0][2]:
        raise ValueError(
            f"{path}: takes {list(shapes[0])}; square pictures [n, size, size, 1 or 3] are needed"
        )
    return shapes[0][1] or _SIZE, shapes[0][3]
