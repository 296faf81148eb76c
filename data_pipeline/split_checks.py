"""What splits promise: no class and no image in two of them, and no image twice in one."""

import itertools
import sys
from collections.abc import Sequence

from data_pipeline.digests import common_rows
from data_pipeline.embeddings import EmbeddingSet


def warn_of_repeats(embeddings: EmbeddingSet) -> None:
    """Write a line to stderr if a set has equal rows, with their number and an example."""
    found = embeddings.content
    if found.example:
        first, second = map(embeddings.describe, found.example)
        print(
            f"warning: {embeddings.name}: {found.repeated} of {len(embeddings)} embeddings equal "
            f"another one there, such as {first}, and {second}; leave the copies out",
            file=sys.stderr,
        )


def check_apart(
    splits: Sequence[EmbeddingSet], allow_overlap: bool = False, forgive: bool = False
) -> None:
    """Check that splits share no class and no embedding; names an example.

    Takes time in proportion to the images; next to none where their hashes are in the cache.

    Args:
      splits: the sets, each pair of which is compared.
      allow_overlap: whether shared embeddings are said on stderr, not raised.
      forgive: whether all that is found is said there, in one line.

    Raises:
      ValueError: one line, if splits share a class or an embedding.
    """
    if not forgive:
        check_classes(splits)
    classes = [_shared_classes(*pair) for pair in itertools.combinations(splits, 2)]
    rows = [_shared_rows(*pair) for pair in itertools.combinations(splits, 2)]
    faults = [fault for fault in [*classes, *rows] if fault]
    if faults and not forgive and not allow_overlap:
        raise ValueError(
            f"{faults[0]}; splits must not share images: leave them out of one, or say that you "
            "mean it by --allow_overlap"
        )
    if faults:
        print(f"warning: {'; '.join(faults)}", file=sys.stderr)


def check_classes(splits: Sequence[EmbeddingSet]) -> None:
    """Raise a ValueError, one line, if two of some splits share a class."""
    for pair in itertools.combinations(splits, 2):
        if fault := _shared_classes(*pair):
            raise ValueError(
                f"{fault}; splits must not share classes: leave it out of one, or rename it there "
                "if it is another class"
            )


def check_one_size(splits: Sequence[EmbeddingSet]) -> None:
    """Raise a ValueError, one line, if the embeddings of some splits are of different sizes."""
    for split in splits[1:]:
        if split.dim != splits[0].dim:
            raise ValueError(
                f"{split.name} has embeddings of size {split.dim}, {splits[0].name} of size "
                f"{splits[0].dim}; embed all splits with one network"
            )


def _shared_classes(first, second):
    """Return what two splits share in classes, for a message; None if nothing."""
    shared = sorted(set(first.class_names) & set(second.class_names))
    if not shared:
        return None
    count = f" (as are {len(shared) - 1} more)" if len(shared) > 1 else ""
    return f"class {shared[0]!r} is in both {first.name} and {second.name}{count}"


def _shared_rows(first, second):
    """Return what two splits share in embeddings, for a message; None if nothing."""
    count, example = common_rows(first.content, second.content)
    if example is None:
        return None
    here, there = first.describe(example[0]), second.describe(example[1])
    return (
        f"{count} embedding(s) in both {first.name} and {second.name}, such as {here} of the "
        f"first, {there} of the second"
    )
