"""Bytes that a reader may meet, and what it may do with them: return, or say in a line why not."""

import io
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
from hypothesis import strategies as st

# What a reader may take, whatever a file of so many bytes says: of memory, and of the processor.
FREE_BYTES, TIMES, SECONDS = 1 << 26, 400, 20
LONGEST_LINE = 1500  # without the path


def said(read, path, free=FREE_BYTES):
    """Return what a reader says of a file, "" if it reads it; fails on whatever is no such line."""
    size = path.stat().st_size
    tracemalloc.start()
    began = time.process_time()
    try:
        read(path)
        line = ""
    except (ValueError, FileNotFoundError) as error:
        line = str(error)
        assert str(path.parent) in line, line[:LONGEST_LINE]
        line = line.replace(str(path.parent), "FOLDER")
        assert "\n" not in line and "\r" not in line, line[:LONGEST_LINE]
        assert len(line) <= LONGEST_LINE, (len(line), line[:LONGEST_LINE])
    finally:
        taken, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= free + TIMES * size, (peak, size)
    assert taken <= SECONDS, taken
    return line


# Programs of the machine that reads pickles.
_OPCODES = b"()]}\x8ftldeasu012N\x88\x89\x85\x86\x87Rbo\x81\x92\x90\x91\x93\x94Q"
_PLAIN = [bytes([opcode]) for opcode in _OPCODES]
_GLOBALS = [
    f"c{module}\n{name}\n".encode()
    for module, name in (
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy._core._internal", "_convert_to_stringdtype_kwargs"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("copy_reg", "_reconstructor"),
        ("copyreg", "__newobj__"),
        ("builtins", "bytes"),
        ("builtins", "set"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch", "FloatStorage"),
        ("os", "system"),
        ("mine", "Thing"),
    )
]
_TEXTS = ("embeddings", "keys", "labels", "a-b-b_1", "f4", "<", "U3", "S0", "O", "V", "latin1", "x")
_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
_DTYPE = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
_OPERANDS = st.one_of(
    st.integers(0, 255).map(lambda n: b"K" + bytes([n])),
    st.integers(0, 2**16 - 1).map(lambda n: b"M" + struct.pack("<H", n)),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: b"J" + struct.pack("<i", n)),
    st.binary(max_size=20).map(lambda data: b"\x8a" + bytes([len(data)]) + data),
    st.integers(-5, 300).map(lambda n: b"\x8b" + struct.pack("<i", n) + b"\x01" * max(0, n)),
    st.sampled_from([b"I12\n", b"L5L\n", b"F1.5\n", b"I01\n", b"S'x'\n", b"Vx\n"]),
    st.floats(width=32).map(lambda x: b"G" + struct.pack(">d", x)),
    st.sampled_from(_TEXTS).map(lambda text: b"U" + bytes([len(text)]) + text.encode()),
    st.binary(max_size=12).map(lambda data: b"C" + bytes([len(data)]) + data),
    st.text(max_size=6).map(lambda t: b"X" + struct.pack("<I", len(t.encode())) + t.encode()),
    st.integers(0, 6).map(lambda n: b"q" + bytes([n])),
    st.integers(0, 6).map(lambda n: b"h" + bytes([n])),
    st.sampled_from([*_GLOBALS, _ARRAY, _DTYPE]),
)
PROGRAMS = st.builds(
    lambda protocol, steps: b"\x80" + bytes([protocol]) + b"".join(steps) + b".",
    st.integers(0, 5),
    st.lists(st.one_of(st.sampled_from(_PLAIN), _OPERANDS), max_size=30),
)


@st.composite
def changed(draw, originals):
    """Draw one of some files with a few places changed, as damage and malice do."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(["byte", "bytes", "cut", "out", "again", "large", "digits"]))
        if how == "byte" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "bytes":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif how == "cut":
            del data[at:]
        elif how == "out":
            del data[at : at + draw(st.integers(1, 16))]
        elif how == "again":
            data[at:at] = data[at : at + draw(st.integers(1, 40))] * draw(st.integers(1, 5))
        elif how == "large":
            data[at : at + 4] = draw(st.sampled_from([b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0" * 4]))
        else:
            data[at : at + 1] = b"9" * draw(st.integers(1, 30))
    return bytes(data)


def rows(classes=2, images=3, dim=2):
    """Return embeddings and labels."""
    labels = [f"c{i}" for i in range(classes) for _ in range(images)]
    values = np.arange(1, 1 + len(labels) * dim, dtype=np.float32)
    return values.reshape(len(labels), dim), labels


def pickles():
    """Return pickles of embeddings, of every protocol and content."""
    values, labels = rows()
    keys = [f"t-{label}-{label}_{i}.jpg" for i, label in enumerate(labels)]
    contents = [
        {"embeddings": values, "labels": labels, "keys": keys},
        {"a": values[:3], "b": values[3:]},
        {"embeddings": values.tolist(), "labels": np.array(labels)},
        {"embeddings": values, "labels": np.array(labels, object)},
    ]
    return [pickle.dumps(each, protocol) for each in contents for protocol in (0, 2, 4, 5)]


def npz_files():
    """Return .npz files of embeddings, packed or not."""
    values, labels = rows()
    found = []
    for save in (np.savez, np.savez_compressed):
        for content in (
            {"embeddings": values, "labels": np.array(labels)},
            {"a": values[:3], "b": np.asfortranarray(values[3:])},
            {"embeddings": values, "labels": np.array(labels, object)},
        ):
            file = io.BytesIO()
            save(file, **content)
            found.append(file.getvalue())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", npy_of(values))
    return [*found, file.getvalue()]


def npy_of(array):
    """Return the .npy file of an array."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()
