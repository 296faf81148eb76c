"""Write embeddings as a data set in the released format, from what people have.

Usage: python -m data_pipeline.convert IN ... --out=DIR [--dataset=NAME]

IN is a file of each split, or a folder of them. A split is told by the file's name, which has the
word train, val or test in it (valid and validation, training and testing do, too); --split names
the split of a single file. A file is a pickle or an .npz of
  {"embeddings": [images, dim], "labels": [images]}, or "keys" as released instead of labels, or
  {class: [images, dim], ...}, an array for each class,
or an .npy of the embeddings, NAME_embeddings.npy or NAME.npy, with NAME_labels.npy or
NAME_keys.npy beside it. Embeddings are of any float type; labels are text or numbers. Every pickle
is read without running anything in it.

Written is DIR/NAME/CROP/<split>_embeddings.pkl, all splits or none; nothing is overwritten.
"""

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from data_pipeline import atomic, command_line, numpy_files, paths, released_format
from data_pipeline.command_line import SettingError
from data_pipeline.datasets import DATA_PATH, SPLITS, check_names, find_split, load_splits
from data_pipeline.embeddings import Source

NAME, CROP = "own", "center"
WAY, QUERIES = 5, 15  # of the run that is proposed, if the data have as many classes and images
_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_ENDINGS = (".pkl", ".pickle", ".p", ".npz", ".npy")
_TEMPORARY, _LOCK = ".converted", ".convert.lock"


def convert(
    inputs: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    dataset: str = NAME,
    crop: str = CROP,
    split: str | None = None,
) -> dict[Path, Source]:
    """Write the splits in some files as a data set in the released format; all of them or none.

    Args:
      inputs: files, or folders of files, of one split each.
      out: folder of data sets; `<out>/<dataset>/<crop>` is made if need be.
      dataset: name of the data set.
      crop: name of the folder in it.
      split: the split of the only file; by default its name tells.

    Returns:
      The files written, and what each holds.

    Raises:
      FileNotFoundError: an input is missing.
      ValueError: it cannot be told which split a file is of, or two are of the same, or two splits
        share a class or differ in size, or the split is there already, or a file cannot be read.
    """
    check_names(dataset, crop)
    out = paths.expand(out)
    files = _files(inputs, split)
    folder = out / dataset / crop
    before = _there(folder)
    _check_new(files, before)
    sources = {part: released_format.read(path) for part, path in (before | files).items()}
    _check_together(before | files, sources)
    out.mkdir(parents=True, exist_ok=True)
    with _temporary_folder(out) as temporary:
        for part in files:
            path = temporary / f"{part}_embeddings.pkl"
            with _progress(part, sources[part]) as progress:
                released_format.write(path, sources[part], progress=progress.update)
        _publish(temporary, folder)
    return {folder / f"{part}_embeddings.pkl": sources[part] for part in files}


def split_of(path: Path) -> str:
    """Return the split that a word in a file's name tells, or else the name of its folder.

    Raises:
      ValueError: there is no such word, or those of two splits.
    """
    words = re.split("[^a-z]+", re.sub("([a-z])([A-Z])", r"\1 \2", path.stem).lower())
    found = [split for split, names in _WORDS.items() if not set(names).isdisjoint(words)]
    if not found:
        folder = path.absolute().parent.name.lower()
        found = [split for split, names in _WORDS.items() if folder in names]
    if len(found) != 1:
        raise ValueError(
            f"{path}: its name tells {'two splits' if found else 'no split'}; let it have one of "
            "the words train, val and test, or name the split of a single file by --split"
        )
    return found[0]


def _files(inputs, split):
    """Return the file of each split, in the order of the splits."""
    found = [path for given in inputs for path in _found(paths.expand(given))]
    beside = {part.resolve() for path in found for part in numpy_files.files(path)[1:]}
    found = [path for path in found if path.resolve() not in beside]
    if split is not None and len(found) != 1:
        raise SettingError(f"--split is for a single file; here are {len(found)}")
    files: dict[str, Path] = {}
    for path in found:
        part = split or split_of(path)
        if part in files and files[part].resolve() != path.resolve():
            raise ValueError(f"{files[part]} and {path} are both {part}; give one of them")
        files[part] = path
    return {part: files[part] for part in SPLITS if part in files}


def _found(path):
    """Return the files of embeddings that an argument names: itself, or those in the folder."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    there = _there(path)
    if len(there) == len(SPLITS):
        return list(there.values())
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _ENDINGS)
    if not files:
        folders = sorted(file.name for file in path.iterdir() if file.is_dir())
        some = f"; it has the folders {', '.join(folders)[:200]}: give one" if folders else ""
        raise FileNotFoundError(
            f"{path}: holds no files of embeddings ({', '.join(_ENDINGS)}){some}"
        )
    return files


def _there(folder):
    """Return the files of the splits that a data set's folder has by their proper names."""
    found = {part: find_split(folder, part)[0] for part in SPLITS}
    return {part: path for part, path in found.items() if path.is_file()}


def _check_new(files, before):
    """Raise a ValueError if a split is there before it is written."""
    for part in files:
        if part in before:
            raise ValueError(
                f"{before[part]}: is there already; choose another --dataset or --out, or move "
                "it away"
            )


def _check_together(files, sources):
    """Raise a ValueError if splits share a class or have embeddings of different sizes."""
    owner: dict[str, str] = {}
    first = next(iter(sources))
    for part, source in sources.items():
        if source.dim != sources[first].dim:
            raise ValueError(
                f"{files[part]}: has embeddings of size {source.dim}, {files[first]} of "
                f"{sources[first].dim}"
            )
        for name in source.class_names:
            if name in owner:
                raise ValueError(
                    f"{files[part]}: class {name!r} is in {files[owner[name]]}, too; splits must "
                    "not share classes: if it is another class, rename it in one of them"
                )
            owner[name] = part


@contextlib.contextmanager
def _temporary_folder(out: Path) -> Iterator[Path]:
    """Make a folder that vanishes, after those that killed conversions have left."""
    with atomic.lock(out / _LOCK) as locked:
        for left in out.glob(f"{_TEMPORARY}.partial-*"):
            if locked:
                shutil.rmtree(left, ignore_errors=True)
        temporary = atomic.temporary_path(out / _TEMPORARY)
        temporary.mkdir()
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary, folder):
    """Move the files of a folder to their place: by one rename, if that is new."""
    folder.parent.mkdir(exist_ok=True)
    if not folder.exists():
        os.rename(temporary, folder)
    else:
        for path in temporary.iterdir():
            os.rename(path, folder / path.name)
    atomic.sync_folder(folder)
    atomic.sync_folder(folder.parent)


def _progress(part, source):
    """Return a progress bar for what takes more than a second."""
    total = int(source.counts.sum())
    name = f"writing {part}"
    return tqdm(total=total, desc=name, unit=" images", unit_scale=True, delay=1, disable=None)


def _report(written, out, dataset, crop):
    """Print what was written, and what to run next."""
    for path, source in written.items():
        size = f"{len(source.class_names)} classes, {source.counts.sum()} images, {source.dim}-d"
        print(f"{path}: {size}")
    there = _there(Path(out) / dataset / crop)
    if missing := [part for part in SPLITS if part not in there]:
        print(f"Next: convert {' and '.join(missing)} to the same --out and --dataset")
        return
    sources = load_splits(out, dataset, crop=crop, allow_overlap=True)  # says what they share
    way = min(WAY, *(len(source.class_names) for source in sources))
    queries = min(QUERIES, *(int(source.counts.min()) - 1 for source in sources))
    if way < 2:
        print("To run, each split must have at least two classes")
        return
    options = [f"--data_path={out}", f"--dataset={dataset}", f"--crop={crop}"][: 2 + (crop != CROP)]
    options += [f"--way={way}", "--shot=1", f"--queries={queries}"]
    print(f"Next: python -m leo_tf.run {' '.join(map(shlex.quote, options))}")


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    values = flags.FlagValues()
    define, text = command_line.definer(values), flags.DEFINE_string
    out = define(
        command_line.path, "out", DATA_PATH, "folder of data sets that gets <dataset>/<crop>/"
    )
    dataset = define(text, "dataset", NAME, "name of the data set")
    crop = define(text, "crop", CROP, "name of the folder in the data set")
    split = define(
        flags.DEFINE_enum, "split", None, "split of a single file", enum_values=list(SPLITS)
    )

    def main(inputs):
        with command_line.flags_at_fault():
            check_names(dataset.value, crop.value)
            command_line.check_folder("out", out.value)
        written = convert(inputs, out.value, dataset.value, crop.value, split.value)
        _report(written, out.value, dataset.value, crop.value)

    command_line.run(main, values, __doc__, argv, operands="file or folder of embeddings")


if __name__ == "__main__":
    cli()
