"""What a user gives as embeddings: pictures pass through the network, all in one stream."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from data_pipeline import console
from data_pipeline.images import same_pictures
from leo_tf.serving.given import Given
from leo_tf.serving.networks import Network


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Embeddings of what could be used.

    Attributes:
      asked: what was given.
      given: what of it could be used.
      embeddings: float32 [n, dim].
      digests: uint64 [n], equal where files are byte by byte, or rows.
      skipped: (picture, why).
    """

    asked: Given
    given: Given
    embeddings: np.ndarray
    digests: np.ndarray
    skipped: tuple[tuple[str, str], ...] = ()


def embed(parts: Sequence[Given], network: Network) -> list[Embedded]:
    """Return what several were given as, in embeddings; the network is compiled once for all.

    Raises:
      FileNotFoundError, ValueError: one line, if the network cannot be had.
    """
    files = [path for each in parts for path in each.pictures or ()]
    rows, digests, faults = _passed(files, network) if files else (None, None, {})
    found, start = [], 0
    for each in parts:
        if each.pictures is None:
            found.append(Embedded(each, each, each.embeddings, _digests(each.embeddings)))
            continue
        here = range(start, start + len(each))
        kept = [row for row in here if row not in faults]
        skipped = tuple((each.names[row - start], faults[row]) for row in here if row in faults)
        usable = each.take([row - start for row in kept])
        found.append(Embedded(each, usable, rows[kept], digests[kept], skipped))
        start += len(each)
    return found


def _passed(files, network):
    """Embed the pictures in files; returns rows [n, dim], digests [n], {number: fault}."""
    from data_pipeline.images import forward

    backbone = network.load()
    embeddings = np.zeros((len(files), backbone.dim), np.float32)
    digests = np.zeros(len(files), np.uint64)
    faults: dict[int, str] = {}
    quiet = not console.shows_progress()
    with tqdm(total=len(files), unit=" pictures", desc="embedding", disable=quiet) as bar:
        for each in forward.rows(files, backbone, network.views):
            end = each.first + len(each.embeddings)
            embeddings[each.first : end], digests[each.first : end] = each.embeddings, each.digests
            faults |= each.faults
            bar.update(len(each.embeddings))
    return embeddings, digests, faults


def _digests(embeddings):
    """Hash rows as files are."""
    rows = np.ascontiguousarray(embeddings)
    return np.array([same_pictures.digest(row.tobytes()) for row in rows], np.uint64)
