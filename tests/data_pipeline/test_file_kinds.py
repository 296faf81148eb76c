import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from embedding_files import content

from data_pipeline import released_format


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("train_embeddings.pkl"), io.BytesIO())
    return file.getvalue()


GOOD = pickle.dumps(content(), 2)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
KINDS = {
    "empty": (b"", "is empty"),
    "zeros": (bytes(5000), "is damaged: it begins with zeros"),
    "page": (
        b"\n<!DOCTYPE html><html>",
        r"not a pickle but a web page \(it begins with b'\\n<!D",
    ),
    "message": (b"<?xml version='1.0'?><Error/>", "not a pickle but an XML or HTML text"),
    "pointer": (
        LFS,
        "not a pickle but a pointer of Git LFS, not the file itself",
    ),
    "gzip": (gzip.compress(GOOD), "not a pickle but a gzip file; unpack it first"),
    "bzip2": (bz2.compress(GOOD), "not a pickle but a bzip2 file"),
    "xz": (lzma.compress(GOOD), "not a pickle but an xz file"),
    "tar": (tarred(), "not a pickle but a tar archive"),
    "zip": (zipped("train_embeddings.pkl"), "not a pickle but a zip archive"),
    "torch": (zipped("archive/data.pkl", "archive/data/0"), "not a pickle but a PyTorch file"),
    "old torch": (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2) + GOOD,
        "not a pickle but a PyTorch file",
    ),
    "part of a zip": (zipped("a")[:20], "not a pickle but the beginning of a zip or .npz, trunc"),
    "npz": (npz(a=np.ones(3)), r"not a pickle but a NumPy .npz file; .* ends in \.npz"),
    "npy": (npy(np.ones(3)), r"not a pickle but a NumPy .npy file; .* ends in \.npy"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "not a pickle but an HDF5 file; save its arrays"),
    "Parquet": (b"PAR1\x15\x04", "not a pickle but a Parquet file"),
    "JSON": (b'{"embeddings": [[1.0]]}', "not a pickle but a JSON text"),
    "CSV": (b"label,x,y\ncat,1.5,2.5\n", "is a table of text, not a pickle"),
    "CSV like a global": (b"class,x,y\ncat,1.5,2.5\n", "is a table of text, not a pickle"),
    "CSV of Windows": (b"\xef\xbb\xbflabel;x\r\ncat;1\r\n", "is a table of text, not a pickle"),
    "UTF-16": ("a".encode("utf-16"), "is damaged: it was saved as UTF-16 text"),
    "answer": (b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, "not a pickle but a server's answer"),
    "text": (b"cat\ndog\nowl and bat\n", "is not a pickle, or not a whole one"),
    "base64": (b"gAJ9cQEoVQRrZXlz", "not a pickle but a pickle written as base64 text"),
    "through text": (GOOD.decode("latin1").encode(), "is damaged: it was read and saved as text"),
    "replaced": (GOOD.decode(errors="replace").encode(), "is damaged: it was read and saved as te"),
    "cut": (GOOD[:-40], "is truncated: it ends after"),
    "cut, of protocol 0": (pickle.dumps(content(), 0)[:-40], "is truncated: it ends after"),
    **{
        f"line ends of protocol {protocol}": (
            pickle.dumps(dict(content(), more=b"\n\n"), protocol).replace(b"\n", b"\r\n"),
            "is damaged: a transfer as text changed its line ends",
        )
        for protocol in range(6)
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_whole_pickle_is_called_what_it_is(tmp_path, kind):
    data, message = KINDS[kind]
    path = tmp_path / "val_embeddings.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"val_embeddings\.pkl: (is )?{message}") as caught:
        released_format.read(path).to_array()
    assert "\n" not in str(caught.value)
    assert "refused" not in str(caught.value)
