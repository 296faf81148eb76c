"""Tell by its first bytes what a file is, when it is not what it was taken for."""

import re
import zipfile
from pathlib import Path

_UNPACK = "unpack it first"
_CONVERT = "save its arrays by NumPy (np.savez) or pickle"
_AGAIN = "fetch it again"
# What a file begins with, what that is, and what to do about it.
_BEGINNINGS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "run git lfs pull"),
    (b"\x93NUMPY", "a NumPy .npy file", "give it a name that ends in .npy"),
    (b"\x1f\x8b", "a gzip file", _UNPACK),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"\xfd7zXZ\0", "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _UNPACK),
    (b"\x04\x22\x4d\x18", "an LZ4 file", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"x\x9c", "zlib-compressed", _UNPACK),
    (b"x\x01", "zlib-compressed", _UNPACK),
    (b"x\xda", "zlib-compressed", _UNPACK),
    (b"\x89HDF", "an HDF5 file", _CONVERT),
    (b"MATLAB ", "a MATLAB file", _CONVERT),
    (b"PAR1", "a Parquet file", _CONVERT),
    (b"ARROW1", "an Arrow file", _CONVERT),
    (b"FEA1", "a Feather file", _CONVERT),
    (b"Obj\x01", "an Avro file", _CONVERT),
    (b"SQLite format 3", "an SQLite database", _CONVERT),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a PyTorch file", _CONVERT),
    (b"\x89PNG", "a picture", "embed it first"),
    (b"\xff\xd8\xff", "a picture", "embed it first"),
    (b"GIF8", "a picture", "embed it first"),
    (b"%PDF", "a PDF", _AGAIN),
    (b"\x7fELF", "a program", _AGAIN),
    (b"\0\5\x16\7", "what a Mac keeps about a file, not the file itself", _AGAIN),
    (b"HTTP/1", "a server's answer with its header", _AGAIN),
    (b"\xff\xfe", "damaged: it was saved as UTF-16 text, as PowerShell's > does", _AGAIN),
    (b"\xef\xbf\xbd", "damaged: it was read and saved as text on its way", _AGAIN),
    (b"\xc2\x80", "damaged: it was read and saved as text on its way", _AGAIN),
    (b"gAJ9", "a pickle written as base64 text", "decode it first (base64 -d)"),
    (b"gAR9", "a pickle written as base64 text", "decode it first (base64 -d)"),
    (b"gASV", "a pickle written as base64 text", "decode it first (base64 -d)"),
    (b"gAWV", "a pickle written as base64 text", "decode it first (base64 -d)"),
)
_LONGEST = 600  # bytes looked at


def describe(path: Path, expected: str = "a pickle") -> str | None:
    """Return what a file is, and what to do, if it is recognised as what was not expected.

    Args:
      path: the file.
      expected: what it should be, for the text "not a pickle but a gzip file; unpack it first".
    """
    kind = _kind(path)
    if kind is None or kind.startswith("damaged"):
        return kind
    return f"not {expected} but {kind}"


def _kind(path):
    """Return what a file is and what to do; None for a pickle or what begins like nothing known."""
    with open(path, "rb") as file:
        beginning = file.read(_LONGEST)
    for start, kind, remedy in _BEGINNINGS:
        if beginning.startswith(start):
            return f"{kind}; {remedy}"
    if beginning and not beginning.strip(b"\0"):
        return f"damaged: it begins with zeros; {_AGAIN}"
    if beginning.startswith(b"PK"):
        return _describe_zip(path)
    if beginning[257:262] == b"ustar":
        return f"a tar archive; {_UNPACK}"
    if beginning[8:10] == b'{"':
        return f"a safetensors file; {_CONVERT}"
    return _describe_text(beginning)


def _describe_zip(path):
    """Return what a file is that begins like a zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # zipfile raises whatever it met
        return f"the beginning of a zip or .npz, truncated; {_AGAIN}"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy .npz file; give it a name that ends in .npz"
    if any(name.endswith("/data.pkl") for name in names):
        return f"a PyTorch file; {_CONVERT}"
    return f"a zip archive; {_UNPACK}"


def _describe_text(beginning):
    """Return what a text is; None if the file is not text, or perhaps a pickle of protocol 0."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"(?i)<!doctype html|<html|<head|<body", text):
        return f"a web page (it begins with {beginning[:16]!r}); {_AGAIN}"
    if text.startswith(b"<"):
        return f"an XML or HTML text, perhaps a server's message; {_AGAIN}"
    if re.match(rb"[{\[]\s*[\"'\[{\d}\]-]", text):
        return f"a JSON text; {_CONVERT}"
    return None


def line_ends_changed(path: Path) -> bool:
    """Return whether a binary file's line feeds all became CR LF, as by a transfer of text."""
    with open(path, "rb") as file:
        data = file.read(1 << 20)
    return b"\n" in data and data.count(b"\n") == data.count(b"\r\n")


def is_table(beginning: bytes) -> bool:
    """Return whether a file begins like a text of columns, such as CSV."""
    line, end, _ = beginning.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    printable = line.strip().replace(b"\t", b" ").decode("latin1").isprintable()
    return bool(end) and printable and bool(re.search(rb"[,;\t]", line))
