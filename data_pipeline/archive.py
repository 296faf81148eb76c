"""Unpack the embeddings in a zip: whole files, to no place but theirs."""

import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from tqdm import tqdm

from data_pipeline import atomic, released_format
from data_pipeline.embeddings import Source
from data_pipeline.stored_arrays import is_bounded

EMBEDDINGS = re.compile(r"(?:.*/)?([^/]+/[^/]+/(?:train|val|test)_embeddings\.(?:pkl|npz|npy))")
BESIDE = re.compile(r"(?:.*/)?([^/]+/[^/]+/(?:train|val|test)_(?:labels|keys)\.npy)")
DRIVE = re.compile("[A-Za-z]:")  # of Windows
COPY_BYTES = 1 << 20


def check(path: str | os.PathLike, origin: str) -> None:
    """Raise a ValueError unless a file is a zip with its directory, which comes last, in place.

    Args:
      path: the file.
      origin: where it comes from, for the message.
    """
    with open(path, "rb") as file:
        beginning = file.read(40)
    if zipfile.is_zipfile(path):
        return
    if beginning.startswith(b"PK"):
        raise ValueError(f"{origin}: is the beginning of a zip, cut off")
    if beginning.lstrip()[:1] == b"<":
        raise ValueError(f"{origin}: is a web page, not a zip (it begins with {beginning!r})")
    raise ValueError(f"{origin}: is not a zip (it begins with {beginning!r})")


def unpack(archive: Path, data_path: Path) -> dict[Path, Source]:
    """Unpack the embeddings in a zip to `<data_path>/<dataset>/<crop>/<split>_embeddings.pkl`.

    NumPy's files (see `numpy_files`) are unpacked, too. Backslashes in a zip made on Windows divide
    its paths as slashes do; a dot, or nothing, between two of them is no folder.

    Every file is unpacked and its keys are read in a temporary folder in data_path before the first
    is moved to its place, one rename each. What else the zip holds stays there.

    Returns:
      The files of embeddings written, and what each holds.

    Raises:
      ValueError: the zip is damaged, or names a path outside, a link or one file twice, or holds no
        embeddings, or some that cannot be read, or more than the disk has room for. Nothing has
        been written then.
    """
    temporary = atomic.temporary_path(data_path / ".unpacked")
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(archive, file.infolist())
            _check_room(archive, members.values(), data_path)
            for name, member in members.items():
                _extract(file, member, temporary / name)
        sources = {
            name: _read(archive, temporary, name) for name in members if EMBEDDINGS.fullmatch(name)
        }
        for name in members:
            (data_path / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / name, data_path / name)
            atomic.sync_folder((data_path / name).parent)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"{archive}: is damaged ({error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {data_path / name: source for name, source in sources.items()}


def _members(archive, infos):
    """Return the embeddings in a zip, {path below data_path: member}, after checking every name."""
    members = {}
    for info in infos:
        name = info.filename.replace("\\", "/")
        parts = name.split("/")
        link = stat.S_ISLNK(info.external_attr >> 16)
        if not parts[0] or ".." in parts or any(map(DRIVE.match, parts)) or link:
            what = "a link" if link else "a path outside its folder"
            raise ValueError(f"{archive}: refused, it holds {what}: {info.filename!r}")
        name = "/".join(part for part in parts if part not in ("", "."))
        if info.flag_bits & 1:
            raise ValueError(f"{archive}: refused, {info.filename!r} is encrypted")
        if not (match := EMBEDDINGS.fullmatch(name) or BESIDE.fullmatch(name)):
            continue
        if not is_bounded(info):
            raise ValueError(
                f"{archive}: zip it anew; {info.filename!r} is packed by other than deflate"
            )
        if match[1] in members:
            raise ValueError(f"{archive}: refused, it holds {match[1]!r} twice")
        members[match[1]] = info
    if not any(map(EMBEDDINGS.fullmatch, members)):
        raise ValueError(f"{archive}: holds no <dataset>/<crop>/<split>_embeddings.pkl")
    return members


def _check_room(archive, infos, data_path):
    """Raise a ValueError if the disk has no room for the members of a zip."""
    size, free = sum(info.file_size for info in infos), shutil.disk_usage(data_path).free
    if size > free:
        raise ValueError(
            f"{archive}: unpacks to {size / 1e9:.1f} GB; {data_path} has {free / 1e9:.1f} GB free"
        )


def _read(archive, temporary, name):
    """Return what an unpacked file holds; an error names the zip, not the temporary folder."""
    try:
        return released_format.read(temporary / name)
    except ValueError as error:
        message = str(error).removeprefix(f"{temporary}{os.sep}")
        raise ValueError(f"{archive}: refused, {message}") from None


def _extract(file, info, target):
    """Write a member of a zip to a file; its checksum is verified on the way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f"unpacking {info.filename}"
    progress = tqdm(total=info.file_size, desc=name, unit="B", unit_scale=True, delay=1)
    with file.open(info) as source, open(target, "xb") as sink, progress:
        while chunk := source.read(COPY_BYTES):
            sink.write(chunk)
            progress.update(len(chunk))
        atomic.sync(sink)
