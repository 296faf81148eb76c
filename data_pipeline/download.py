"""Fetch the released embeddings: python -m data_pipeline.download --data_path=embeddings"""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from absl import flags
from tqdm import tqdm

from data_pipeline import archive, atomic, command_line, paths
from data_pipeline.datasets import DATA_PATH
from data_pipeline.embeddings import Source

URL = "http://storage.googleapis.com/leo-embeddings/embeddings.zip"
ARCHIVE = "embeddings.zip"


def download(
    data_path: str | os.PathLike = DATA_PATH, url: str = URL, sha256: str | None = None
) -> dict[Path, Source]:
    """Fetch a zip of embeddings and unpack it, unless the zip is at <data_path>/embeddings.zip.

    A zip that was there is used, and stays; one that was fetched goes when it has been unpacked. A
    fetch that is interrupted leaves no zip, and the next starts anew.

    Args:
      data_path: folder that gets `<dataset>/<crop>/<split>_embeddings.pkl`; made if need be.
      url: where the zip is.
      sha256: the zip's SHA-256 in hexadecimal, if it is to be checked.

    Returns:
      The files written, and what each holds.

    Raises:
      ConnectionError: the zip cannot be fetched, or not all of it.
      ValueError: what was fetched is no zip, has another hash, or cannot be unpacked.
    """
    target = paths.expand(data_path) / ARCHIVE
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic.lock(target.parent / ".download.lock") as locked:
        if locked:
            _clear(target.parent)
        was_there = target.exists()
        if was_there:
            _check(target, sha256, f"{target} (delete it to fetch it anew)")
        else:
            _fetch(url, target, sha256)
        written = archive.unpack(target, target.parent)
        if not was_there:
            target.unlink()
    return written


def _fetch(url, target, sha256):
    """Download to a temporary file beside `target`, and rename it when it is whole."""
    import pooch
    import requests

    by_hand = f"or put the zip at {target} by other means, then run this again"
    temporary = atomic.temporary_path(target)
    try:
        with tqdm(total=1, desc=ARCHIVE, unit="B", unit_scale=True) as progress:
            fetch = pooch.HTTPDownloader(progressbar=progress, timeout=60)
            fetch(url, str(temporary), None)
        _check(temporary, sha256, url)
        os.replace(temporary, target)
    except requests.HTTPError as error:
        answer = error.response
        status = f"{answer.status_code} {answer.reason}"  # type: ignore[union-attr]
        raise ConnectionError(
            f"{url}: the server answers {status}; check the URL, {by_hand}"
        ) from None
    except requests.RequestException as error:
        size = temporary.stat().st_size if temporary.exists() else 0
        raise ConnectionError(
            f"{url}: {_reason(error)}, {size} bytes came; try again, {by_hand}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{error}; try again, {by_hand}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _check(path, sha256, origin):
    """Raise a ValueError if a file is no zip, or has not the SHA-256 that is asked for, if any."""
    import pooch

    archive.check(path, origin)
    if sha256 and (found := pooch.file_hash(str(path))) != sha256.lower():
        raise ValueError(f"{origin}: has SHA-256 {found}, not {sha256.lower()}")


def _reason(error):
    """Return the innermost cause of a failed request, in few words."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    return str(getattr(error, "reason", error)).split(": ", 1)[-1]


def _clear(data_path):
    """Remove what killed downloads have left."""
    for path in data_path.glob("*.partial-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _report(written, data_path):
    """Print what was written, and what to run next."""
    for path, source in sorted(written.items()):
        size = f"{len(source.class_names)} classes, {source.counts.sum()} images, {source.dim}-d"
        print(f"{path}: {size}")
    dataset = min(path.parts[-3] for path in written)
    options = f"--dataset={dataset} --shot=1 --data_path={quote(str(data_path))}"
    print(f"Next: python -m leo_tf.run {options}")
    if (Path(data_path) / ARCHIVE).exists():
        print(f"{Path(data_path) / ARCHIVE} is no longer needed.")


def _is_sha256(text):
    """Return whether a flag's value is none or a SHA-256."""
    return text is None or re.fullmatch("[0-9a-fA-F]{64}", text)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    values = flags.FlagValues()
    define, text = command_line.definer(values), flags.DEFINE_string
    path = command_line.path
    data_path = define(path, "data_path", DATA_PATH, "folder that gets <dataset>/<crop>/")
    url = define(text, "url", URL, "where the zip is")
    sha256 = define(text, "sha256", None, "SHA-256 that the zip must have, in hexadecimal")
    is_url = re.compile("https?://.+").fullmatch
    flags.register_validator(url, is_url, "must begin with http:// or https://", values)
    flags.register_validator(sha256, _is_sha256, "must be 64 hexadecimal digits", values)

    def main():
        with command_line.flags_at_fault():
            command_line.check_folder("data_path", data_path.value)
        _report(download(data_path.value, url.value, sha256.value), data_path.value)

    command_line.run(main, values, __doc__, argv)


if __name__ == "__main__":
    cli()
