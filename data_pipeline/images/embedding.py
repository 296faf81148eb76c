"""From a folder of pictures to a data set in the released format.

While it is made, `<out>/.embedding-<hash>` keeps what is done, so that the same command goes on
after a kill; the hash is of the pictures, the backbone and the views, so that no two setups mix.
What is finished is `<out>/center` (or `multiview`), there whole or not at all:
  <split>_embeddings.pkl   the embeddings;
  embedded.json            what was embedded and how: `Embedded`, with the split;
  files.jsonl              [split, class, file] of every embedding, a line each, as the rows are.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from data_pipeline import atomic, paths, released_format
from data_pipeline.images import same_pictures
from data_pipeline.images.embedded_rows import kept_rows, sources
from data_pipeline.images.fitting import VIEWS, Fit
from data_pipeline.images.forward import BATCH, rows
from data_pipeline.images.listing import Listing
from data_pipeline.images.record import RECORD, Embedded, read_record, write_record
from data_pipeline.images.shards import Shards, check_space, space
from data_pipeline.one_line import plain

if TYPE_CHECKING:
    from data_pipeline.images.backbones import Backbone

FILES = "files.jsonl"
SHOWN = 20  # pictures that are skipped, one line each; then their number
_WORK, _READY = ".embedding-", "ready"


def embed_pictures(
    listing: Listing,
    backbone: "Backbone",
    out: str | os.PathLike,
    views: int = 1,
    batch: int = BATCH,
    progress: bool | None = True,
) -> Embedded:
    """Embed the pictures of a listing, or what is missing of them, and write the data set.

    Equal pictures, backbone, views and batch give equal files, on one type of processor, stopped
    in between or not. A picture that cannot be used is skipped with a line on stderr.

    Args:
      listing: see `list_pictures`.
      backbone: the network.
      out: the data set's folder, `<data_path>/<dataset>`.
      views: 1, the centre; or 10, averaged.
      batch: pictures that the network gets at a time.
      progress: whether a bar on a terminal shows how far it is.

    Raises:
      ValueError: the folder has other embeddings; too few pictures of a split can be used.
      OSError: no space is left, or it cannot be written there.
    """
    Fit.of(backbone, views)
    out = paths.expand(out)
    folder, setup = out / VIEWS[views], _setup(listing, backbone, views, batch)
    if found := _finished(folder, listing, backbone, views):
        return found
    work = out / f"{_WORK}{setup}"
    with space(out):
        work.mkdir(parents=True, exist_ok=True)
        with atomic.lock(work / "lock"):
            if found := _finished(folder, listing, backbone, views):
                return found
            shards = Shards(work)
            seconds, now = _embed_missing(shards, listing, backbone, views, batch, progress)
            found = _write(shards, listing, backbone, views, folder)
    return found._replace(seconds=seconds, embedded_now=now)


def _setup(listing, backbone, views, batch):
    """Return a hash of all that decides what is embedded."""
    described = json.dumps(
        [listing.digest(), backbone.description(), views, batch], allow_nan=False
    )
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _finished(folder, listing, backbone, views):
    """Return the record of a folder that holds what is asked for; None if there is no folder.

    Its pictures may have been moved since.
    """
    if not folder.exists():
        return None
    found = read_record(folder)
    if found and (found.backbone, found.views) == (backbone.description(), views):
        if found.pictures == listing.content():
            return found._replace(images=os.fspath(listing.folder))
    raise ValueError(
        f"{folder}: has embeddings of other pictures, of another backbone or shared out otherwise; "
        "choose another --out, or move it away"
    )


def _embed_missing(shards, listing, backbone, views, batch, progress):
    """Embed what no shard has; returns seconds and pictures that this took."""
    done, files = shards.count(), listing.files()
    check_space(shards.folder, len(files) - done, len(files), backbone.dim)
    if done == len(files):
        return None, 0
    if done:
        print(f"{done} of {len(files)} pictures are embedded already; going on", file=sys.stderr)
    skipped, start = 0, time.monotonic()
    stream = rows(listing.paths(), backbone, views, batch, done)
    bar = tqdm(total=len(files), initial=done, unit=" pictures", disable=None if progress else True)
    with bar, contextlib.closing(shards.write(stream)) as kept:
        for each in kept:
            bar.update(len(each.embeddings))
            for number, why in sorted(each.faults.items()):
                skipped += 1
                if skipped <= SHOWN:
                    bar.write(f"skipped {plain(files[number])}: {why}", file=sys.stderr)
    if skipped > SHOWN:
        print(f"skipped {skipped - SHOWN} more, see {RECORD}", file=sys.stderr)
    return time.monotonic() - start, len(files) - done


def _write(shards, listing, backbone, views, folder):
    """Write the data set of what is embedded, then remove the shards; returns the record."""
    kept, files = kept_rows(shards, listing), listing.files()
    count, example = same_pictures.shared(kept.digests, kept.owners)
    found = Embedded(
        folder,
        os.fspath(listing.folder),
        listing.how,
        listing.split,
        listing.seed,
        kept.counts,
        {files[number]: why for number, why in sorted(kept.faults.items())},
        kept.left_out,
        len(listing.others),
        count,
        example and (files[example[0]], files[example[1]]),
        backbone.description(),
        views,
        listing.content(kept.digests),
    )
    ready = shards.folder / _READY
    shutil.rmtree(ready, ignore_errors=True)
    ready.mkdir()
    for split, source in sources(shards, listing, kept, backbone.dim).items():
        released_format.write(ready / f"{split}_embeddings.pkl", source)
    _write_files(ready / FILES, listing, kept.rows)
    write_record(ready, found)
    os.rename(ready, folder)
    atomic.sync_folder(folder.parent)
    shutil.rmtree(shards.folder, ignore_errors=True)
    return found


def _write_files(path, listing, rows):
    """Write which file each row is of."""
    numbers = iter(rows)
    with atomic.writer(path) as out:
        for split, name, files in listing.classes():
            for file in files:
                if next(numbers) >= 0:
                    out.write(json.dumps([split, name, file], allow_nan=False).encode() + b"\n")
