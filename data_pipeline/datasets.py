"""Find the splits of a data set: `<data_path>/<dataset>/<crop>/<split>_embeddings.pkl`.

A format of embeddings is a module with `read(path)`, which returns a `Source`, and `files(path)`,
all files that it reads for that; `FORMATS` tells by a file's ending which one reads it.
"""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from types import ModuleType

import numpy as np

from data_pipeline import (
    cache,
    cards,
    function_files,
    gaussians,
    numpy_files,
    paths,
    released_format,
)
from data_pipeline.embeddings import EmbeddingSet, Source
from data_pipeline.split_checks import (
    check_apart,
    check_classes,
    check_one_size,
    warn_of_repeats,
)

DATA_PATH = "embeddings"  # the folder of data sets where a user names none
SPLITS = ("train", "val", "test")
RELEASED = released_format.RELEASED
FORMATS = {
    "_embeddings.pkl": released_format,
    "_embeddings.npz": numpy_files,
    "_embeddings.npy": numpy_files,
}
BUILT = ("glyphs", "icons")  # whose files come with the code
PACKAGED = Path(__file__).parent
JOIN_ROWS = 4096


def check_names(dataset: str, crop: str) -> None:
    """Raise a ValueError unless both can be names of folders, and tieredImageNet has the crop."""
    for what, value in (("dataset", dataset), ("crop", crop)):
        if not value or Path(value).name != value:
            raise ValueError(f"{what} must be the name of a folder, not {value!r}")
    if crop == "multiview" and "multiview" not in RELEASED.get(dataset, (crop,)):
        raise ValueError(
            f"{dataset} has no crop multiview: it was released for miniImageNet only; use center"
        )


def check_dataset(
    data_path: str | os.PathLike,
    dataset: str,
    crop: str = "center",
    splits: Sequence[str] = SPLITS,
) -> Path:
    """Return the folder of a data set after the checks that need no reading.

    Args:
      data_path: folder of data sets.
      dataset: name of the data set's folder. `glyphs`, `icons` and `gaussians` come with this
        package, if they are not there.
      crop: name of the folder in it.
      splits: the splits it must have.

    Raises:
      ValueError: tieredImageNet has no such crop, or a name is no name of a folder.
      FileNotFoundError: there is no such data set, crop or split; says how to get it.
    """
    check_names(dataset, crop)
    data_path = paths.expand(data_path)
    folder = data_path / dataset
    if not folder.exists():
        folder = _packaged(dataset) or folder
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no data set {dataset} in {data_path.resolve()} (there: {_there(data_path)}; "
            f"glyphs, icons and gaussians come with the code); {_how_to_get(data_path, dataset)}"
        )
    if not (folder / crop).is_dir():
        crops = sorted(path.name for path in folder.iterdir() if path.is_dir())
        functions = function_files.split_file(folder, SPLITS[0]).is_file()
        raise FileNotFoundError(
            f"{folder}: has no crop {crop} (it has: {', '.join(crops) or 'none'})"
            + ("; to learn functions of x and y, give --experiment=regression" * functions)
        )
    for split in splits:
        path, _ = find_split(folder / crop, split)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: not found; {_how_to_get(data_path, dataset)}")
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: is empty; fetch or write it again")
    return folder / crop


def _packaged(dataset):
    """Return the folder of a data set that comes with this package, or None."""
    if dataset == "gaussians":
        return gaussians.folder()
    return PACKAGED / dataset / "embeddings" / dataset if dataset in BUILT else None


def splits_there(
    data_path: str | os.PathLike, dataset: str, crop: str = "center"
) -> tuple[str, ...]:
    """Return the splits that a data set has after `check_dataset`: a user's own may have no val.

    Raises:
      FileNotFoundError, ValueError: see `check_dataset`.
    """
    if dataset in RELEASED or _packaged(dataset):
        needed: tuple[str, ...] = SPLITS
    else:
        folder = check_dataset(data_path, dataset, crop, [])
        needed = tuple(s for s in SPLITS if s != "val" or find_split(folder, s)[0].is_file())
    check_dataset(data_path, dataset, crop, needed)
    return needed


def files_of(
    data_path: str | os.PathLike, dataset: str, crop: str, splits: Sequence[str]
) -> dict[str, Path]:
    """Return the files that splits are read from, by their paths below a folder of data sets.

    The card of the data set is one of them, if it has one.

    Raises:
      FileNotFoundError, ValueError: see `check_dataset`.
    """
    found = {}
    for split in splits:
        folder = check_dataset(data_path, dataset, crop, [split])
        path, form = find_split(folder, split)
        card = [folder / cards.CARD] if (folder / cards.CARD).is_file() else []
        found.update({f"{dataset}/{crop}/{each.name}": each for each in [*form.files(path), *card]})
    return found


def load_split(
    data_path: str | os.PathLike, dataset: str, crop: str = "center", split: str = "train"
) -> EmbeddingSet:
    """Return a split's embeddings, from the cache after the first time.

    Embeddings that are in it twice are said in a line on stderr. What splits promise of each other
    is not checked, but for train+val; see `load_splits`.

    Args:
      data_path, dataset, crop: see `check_dataset`.
      split: train, val, test, or train+val for the classes of both.

    Raises:
      FileNotFoundError, ValueError: one line that names the file, the value and the remedy.
    """
    found = _load(data_path, dataset, crop, split)
    warn_of_repeats(found)
    return found


def load_splits(
    data_path: str | os.PathLike,
    dataset: str,
    crop: str = "center",
    splits: Sequence[str] = SPLITS,
    allow_overlap: bool = False,
) -> list[EmbeddingSet]:
    """Return several splits' embeddings, after checking that no two share a class or an embedding.

    Where miniImageNet or tieredImageNet themselves do, that is said in a line on stderr.

    Args:
      data_path, dataset, crop: see `check_dataset`.
      splits: as `load_split` takes them; parts of train+val are compared like the others.
      allow_overlap: whether shared embeddings are only said, too.

    Raises:
      FileNotFoundError, ValueError: one line that names the file, the value and the remedy.
    """
    names = dict.fromkeys(part for split in splits for part in split.split("+"))
    parts = {name: load_split(data_path, dataset, crop, name) for name in names}
    check_one_size(list(parts.values()))
    check_apart(list(parts.values()), allow_overlap, forgive=dataset in RELEASED)
    return [parts.get(split) or _load(data_path, dataset, crop, split) for split in splits]


def _load(data_path, dataset, crop, split):
    """Return a split's embeddings."""
    splits = split.split("+")
    if not split or not set(splits) <= set(SPLITS) or len(set(splits)) != len(splits):
        raise ValueError(f"split must be train, val, test, or train+val, not {split!r}")
    folder = check_dataset(data_path, dataset, crop, splits)
    files = [find_split(folder, part) for part in splits]

    def read():
        if len(splits) == 1:
            ((path, form),) = files
            return form.read(path)
        parts = [_load(data_path, dataset, crop, part) for part in splits]
        check_one_size(parts)
        if dataset not in RELEASED:
            check_classes(parts)
        return _join(parts)

    name = f"{dataset}/{crop}/{split}"
    parts = [part for path, form in files for part in form.files(path)]
    found = cache.load(name, f"{split}_embeddings", parts, read)
    found.backbone = cards.backbone(folder)
    return found


def find_split(folder: Path, split: str) -> tuple[Path, ModuleType]:
    """Return the file of a split in a folder, and the module of its format.

    Where there is none, the path in the first of `FORMATS`.

    Raises:
      ValueError: the split is there in several formats, of which none is more right than another.
    """
    paths = {folder / f"{split}{ending}": form for ending, form in FORMATS.items()}
    there = [path for path in paths if path.is_file()]
    if len(there) > 1:
        names = " and ".join(path.name for path in there)
        raise ValueError(f"{folder}: has {split} twice, as {names}; move one of them away")
    path = there[0] if there else next(iter(paths))
    return path, paths[path]


def _join(parts: Sequence[EmbeddingSet]) -> Source:
    """Return the classes of several sets as one; a class of two of them has the images of both."""
    owners: dict[str, list[EmbeddingSet]] = {}
    for part in parts:
        for class_name in part.class_names:
            owners.setdefault(class_name, []).append(part)
    images = {
        class_name: [part.of_class(class_name) for part in owners[class_name]]
        for class_name in sorted(owners)
    }

    def blocks():
        row = 0
        for array in itertools.chain.from_iterable(images.values()):
            for start in range(0, len(array), JOIN_ROWS):
                block = array[start : start + JOIN_ROWS]
                yield np.arange(row, row + len(block)), block
                row += len(block)

    counts = np.array([sum(map(len, arrays)) for arrays in images.values()])
    return Source(tuple(images), counts, parts[0].dim, blocks)


def _there(data_path):
    """Return the names of the data sets in a folder, for a message."""
    if not Path(data_path).is_dir():
        return "no such folder"
    names = sorted(path.name for path in Path(data_path).iterdir() if path.is_dir())
    return ", ".join(name for name in names if name[0] != ".") or "none"


def _how_to_get(data_path, dataset):
    """Return how to get a data set, for a message."""
    if dataset in RELEASED:
        return f"get it by: python -m data_pipeline.download --data_path={quote(str(data_path))}"
    return (
        f"own data go to {Path(data_path) / dataset}/<crop>/ as train_embeddings.pkl, "
        "val_embeddings.pkl and test_embeddings.pkl, or .npz or .npy (python -m "
        "data_pipeline.convert --help); miniImageNet and tieredImageNet come by: "
        f"python -m data_pipeline.download --data_path={quote(str(data_path))}"
    )
