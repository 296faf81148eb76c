"""Files in torch's older format, written opcode by opcode."""

import pickle
import struct

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}


def inner(value):
    """Return the opcodes that push a plain value, without memo: it is not shared."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key, kind, count, offset, shape, strides):
    """Return the opcodes of a tensor, as torch writes them."""
    storage = b"(" + inner("storage") + b"ctorch\n" + kind.encode() + b"\n"
    storage += inner(key) + inner("cpu") + inner(count) + b"NtQ"
    view = inner(offset) + inner(shape) + inner(strides)
    backward = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + backward + b"tR"


def state(tensors):
    """Return the pickle of {name: opcodes of a tensor}."""
    items = b"".join(inner(name) + opcodes for name, opcodes in tensors.items())
    kept = b"}" + inner("_metadata") + inner({"": {"version": 1}}) + b"s"
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u" + kept + b"b."


def file_of(path, pickled, storages):
    """Write a file of a pickled state and {key: values}."""
    parts = [pickle.dumps(each, 2) for each in (MAGIC, 1001, MACHINE)]
    parts += [pickled, pickle.dumps(list(storages), 2)]
    for values in storages.values():
        parts += [struct.pack("<q", values.size), values.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


VALUES = np.arange(24, dtype="<f4")
STEPS = np.array([7], "<i8")


def sound(path):
    """Write a file of four tensors: two views of a storage, a number, and nothing."""
    tensors = {
        "rows": tensor("1", "FloatStorage", 24, 0, (2, 3, 4), (12, 4, 1)),
        "turned": tensor("1", "FloatStorage", 24, 1, (4, 2), (1, 12)),
        "steps": tensor("2", "LongStorage", 1, 0, (), ()),
        "none": tensor("1", "FloatStorage", 24, 0, (0, 3), (3, 1)),
    }
    return file_of(path, state(tensors), {"1": VALUES, "2": STEPS})
