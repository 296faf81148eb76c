"""Readers and bytes that anybody may have written: a value, or a line that says why not.

Nothing else, whatever the bytes: no other exception, no dead process, no more than a bounded time
and an amount of memory that the size of the file bounds.
"""

import contextlib
import io
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from any_bytes import PROGRAMS, changed, npy_of, npz_files, pickles, rows, said
from commands import TOP, environment
from found_inputs import FOUND, READERS, embeddings
from hypothesis import given
from hypothesis import strategies as st
from repeatable import repeatable
from torch_files import sound

from data_pipeline import function_files
from data_pipeline.images import decode
from data_pipeline.pickles import torch_file
from leo_tf.fidelity.golden import GoldenFile
from leo_tf.serving import embedding_tables
from leo_tf.training.metrics_rows import drop_rows_after
from leo_tf.training.run_folder import RunFolder

PICTURE_BYTES = 12 * decode.LARGEST_PIXELS  # decoded, and turned into colours
FEW, MANY = 40, 3000  # examples


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """{name: what was said} of the files that were found, read by one process."""
    path = f"{TOP / 'tests'}:{TOP}"
    done = subprocess.run(
        [sys.executable, TOP / "tests" / "found_inputs.py", tmp_path_factory.mktemp("found")],
        capture_output=True,
        text=True,
        timeout=600,
        env={**environment(), "PYTHONPATH": path},
    )
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    return found, f"exit status {done.returncode}: {done.stderr}"


NAMES = [f"{kind}/{path.name}" for kind in READERS for path in sorted((FOUND / kind).iterdir())]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_found_is_refused_in_a_line(replayed, name):
    lines, end = replayed
    assert lines.get(name), end


def pictures():
    """Return pictures of every format and mode."""
    from PIL import Image

    colours = Image.fromarray((np.arange(12 * 9 * 3) % 251).astype(np.uint8).reshape(12, 9, 3))
    deep = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
    about = Image.Exif()
    about[0x0112], about[0x010E] = 6, "a picture"
    ways = [
        (colours, "JPEG", {"exif": about}),
        (colours, "JPEG", {"progressive": True}),
        (colours.convert("CMYK"), "JPEG", {}),
        (colours, "PNG", {"exif": about}),
        (colours.convert("P"), "PNG", {"transparency": 3}),
        (colours.convert("LA"), "PNG", {}),
        (deep, "PNG", {}),
        (colours.convert("P"), "GIF", {"save_all": True, "append_images": [colours.convert("P")]}),
        (colours, "BMP", {}),
        (colours, "WEBP", {"exif": about}),
        (colours.convert("RGBA"), "WEBP", {"lossless": True}),
    ]
    for picture, form, options in ways:
        file = io.BytesIO()
        picture.save(file, form, **options)
        yield file.getvalue()


def decoded(path):
    """Decode a picture, whose errors do not name it."""
    try:
        np.asarray(decode.decode(decode.read(path), 64))
    except decode.PictureError as error:
        raise ValueError(f"{path}: {error}") from None


def functions():
    """Return a file of functions."""
    file, x = io.BytesIO(), np.linspace(-1, 1, 24).reshape(2, 12, 1)
    np.savez(file, x=x, y=x)
    return file.getvalue()


def torch_files(folder):
    """Return bytes of torch's files, and of programs of the pickle machine where tensors are."""
    whole = sound(folder / "whole.pth").read_bytes()
    before = whole[: whole.index(b"\x80\x02ccollections")]
    return st.one_of(changed([whole]), PROGRAMS.map(lambda program: before + program))


def labels_of(path):
    """Read labels beside sound embeddings."""
    values, _ = rows()
    beside = path.with_name("train_embeddings.npy")
    beside.write_bytes(npy_of(values))
    embeddings(beside)


TABLE = b'file,class,a,b\nx,c0,1,2\ny,c1,3.5,-1e3\n"z,1",,4,5\n'
METRICS = b"epoch,step,val_accuracy\n0,10,50.0\n1,20,60.0\n"
CONFIG = (
    b'{"format": 3, "stream": 2, "origin": {"run": "0", "data": {}}, "dataset": "tiny", "way": 5}'
)
_VALUES, _LABELS = rows()
# What is read: its name, bytes of it, its reader, and the memory that this may take.
READ = {
    "pickle": (
        "train_embeddings.pkl",
        lambda _: st.one_of(PROGRAMS, changed(pickles()), st.binary(max_size=50)),
        embeddings,
        1 << 26,
    ),
    "npz": ("train_embeddings.npz", lambda _: changed(npz_files()), embeddings, 1 << 29),
    "labels": (
        "train_labels.npy",
        lambda _: changed([npy_of(np.array(_LABELS)), npy_of(np.array(_LABELS, object))]),
        labels_of,
        1 << 26,
    ),
    "torch": ("weights.pth", torch_files, torch_file.load, 1 << 26),
    "picture": ("picture", lambda _: changed(list(pictures())), decoded, PICTURE_BYTES),
    "functions": (
        "train.npz",
        lambda _: changed([functions()]),
        lambda path: function_files.read_functions(path, 3),
        1 << 29,
    ),
    "golden": ("golden.npz", lambda _: changed([functions()]), GoldenFile, 1 << 29),
    "table": (
        "embeddings.csv",
        lambda _: st.one_of(changed([TABLE]), st.binary(max_size=60)),
        embedding_tables.read,
        1 << 26,
    ),
    "metrics": (
        "metrics.csv",
        lambda _: changed([METRICS]),
        lambda path: drop_rows_after(path, 10),
        1 << 26,
    ),
    "config": (
        "config.json",
        lambda _: st.one_of(changed([CONFIG]), st.binary(max_size=40)),
        lambda path: RunFolder(path.parent).read(),
        1 << 26,
    ),
}


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", READ)
def test_any_bytes_are_read_or_refused_in_a_line(tmp_path, kind, examples):
    """The same examples each time, so that a test which passes goes on passing."""
    name, make, read, memory = READ[kind]
    path = tmp_path / name

    @repeatable(examples)
    @given(make(tmp_path))
    def check(data):
        path.write_bytes(data)
        told = io.StringIO()
        with contextlib.redirect_stderr(told), warnings.catch_warnings():
            warnings.simplefilter("error")
            said(read, path, memory)
        assert not told.getvalue()

    check()
