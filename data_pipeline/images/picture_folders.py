"""Folders of pictures: which classes they hold, in which splits, and the files of each.

A folder has one of three layouts:
  train/, val/ (or valid/, validation/) and test/, each with a folder for every class; val may lack;
  a folder for every class, and the classes are shared out (`class_split.assign`);
  train.csv, val.csv and test.csv, or one other table (`picture_tables`), beside the files or their
    folder `images`.
What is in folders within a class's folder belongs to the class.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from data_pipeline import paths, split_percents
from data_pipeline.class_names import class_names
from data_pipeline.class_split import assign
from data_pipeline.command_line import SettingError
from data_pipeline.datasets import SPLITS
from data_pipeline.embeddings import MIN_IMAGES
from data_pipeline.images import picture_tables
from data_pipeline.images.listing import Listing
from data_pipeline.images.same_pictures import check_different

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp")
SPLIT, SEED = "64/16/20", 0
_SPLIT_NAMES = {"train": "train", "val": "val", "test": "test"}
_SPLIT_NAMES |= {"training": "train", "valid": "val", "validation": "val", "testing": "test"}


def list_pictures(folder: str | os.PathLike, split: str | None = None, seed: int = SEED) -> Listing:
    """List the pictures in a folder; see above. Equal folders give equal lists.

    Args:
      folder: the folder.
      split: percents of the classes for train, val and test, by default `SPLIT`, where the folder
        has no splits.
      seed: by which classes are shared out then.

    Raises:
      FileNotFoundError: there is no such folder, or no pictures in it.
      ValueError: one line that names the class or file: a class with too few pictures, in two
        splits, or with the same pictures as another; links that go round; a table that names files
        that are not there; a split for a folder that has its own.
    """
    try:
        split_percents.parse(split or SPLIT)
    except ValueError as error:
        raise SettingError(str(error)) from None
    folder = paths.expand(folder)
    if not folder.is_dir():
        what = "is a file, not a folder of pictures" if folder.exists() else "no such folder"
        raise FileNotFoundError(f"{folder}: {what}")
    others: list[str] = []
    tables = _tables(folder)
    below = [each.name for each in _entries(folder) if each.is_dir()]
    if tables:
        found, what = {name: picture_tables.read(path) for name, path in tables.items()}, "tables"
    elif parts := _split_folders(folder, below):
        found = {part: _class_folders(folder, name, others) for part, name in parts.items()}
        what = "folders"
    else:
        found, what = {"": _class_folders(folder, "", others)}, "folders"
    found = {part: _named(folder, found[part]) for part in (*SPLITS, "") if part in found}
    _check(folder, found)
    listing = _shared_out(folder, found, what, split, seed)
    return dataclasses.replace(listing, others=tuple(others))


def _shared_out(folder, found, what, split, seed):
    """Return the listing of classes that have their splits, or get them here."""
    if "" not in found:
        if split is not None:
            raise SettingError(f"{folder}: has a split of its own; leave --split out")
        if "train" not in found or "test" not in found:
            lacks = "test" if "train" in found else "train"
            raise ValueError(
                f"{folder}: has {' and '.join(found)} but no {lacks}; add it, or give a folder of "
                "class folders alone, which are then shared out"
            )
        return Listing(folder, found, f"as its {what} say")
    split, classes = split or SPLIT, found[""]
    try:
        names = assign(list(classes), split, seed)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    parts = {part: {name: classes[name] for name in names[part]} for part in SPLITS if names[part]}
    return Listing(folder, parts, f"shared out {split} by seed {seed}", split, seed)


def _tables(folder):
    """Return {split: table}, or {"": table}, or {} if the folder has no tables."""
    tables = [each for each in sorted(folder.glob("*.[cC][sS][vV]")) if each.name[0] != "."]
    of_splits: dict[str, Path] = {}
    for path in tables:
        if part := _SPLIT_NAMES.get(path.stem.lower()):
            if part in of_splits:
                raise ValueError(f"{of_splits[part]} and {path} are both {part}; give one of them")
            of_splits[part] = path
    if of_splits:
        return of_splits
    tables = [path for path in tables if picture_tables.is_table(path)]
    if len(tables) > 1:
        raise ValueError(
            f"{tables[0]} and {tables[1]} both name pictures; let them be train.csv and test.csv, "
            "or leave one"
        )
    return {"": tables[0]} if tables else {}


def _split_folders(folder, names):
    """Return {split: name of its folder}, or {} if the folders are of classes.

    A class may be called train, too: its folder has pictures, that of a split has folders.
    """
    found: dict[str, str] = {}
    for name in names:
        part = _SPLIT_NAMES.get(name.lower())
        if part and any(each.is_dir() for each in _entries(folder / name)):
            if part in found:
                raise ValueError(f"{folder}: {found[part]} and {name} are both {part}; leave one")
            found[part] = name
    if found and len(found) < len(names):
        more = next(name for name in names if name not in found.values())
        raise ValueError(
            f"{folder}: has {' and '.join(found.values())} with folders of classes, and {more} "
            "beside them; move it away, or have class folders alone"
        )
    return found


def _class_folders(top, part, others):
    """Return {class: files below `top`} of the folders in a folder."""
    folder = top / part
    entries = list(_entries(folder))
    names = [each.name for each in entries if each.is_dir()]
    if not names:
        some = f", but {len(entries)} files, such as {entries[0].name}" if entries else ": is empty"
        raise FileNotFoundError(
            f"{folder}: holds no folders of classes{some}; put the pictures of each class into a "
            "folder of its name"
        )
    others += [os.path.join(part, each.name) for each in entries if not each.is_dir()]
    found = {}
    for name in names:
        files: list[str] = []
        more: list[str] = []
        for file in files_below(top, os.path.join(part, name)):
            (files if file.lower().endswith(ENDINGS) else more).append(file)
        others += more
        found[name] = sorted(files)
        if not files:
            some = f": its {len(more)} files, such as {more[0]}, are none" if more else ""
            raise FileNotFoundError(
                f"{folder / name}: holds no pictures{some}; a picture's name ends in one of "
                f"{' '.join(ENDINGS)}: add some, or take the folder away"
            )
    return found


def files_below(
    top: Path, name: str = "", above: tuple[tuple[int, int], ...] = ()
) -> Iterator[str]:
    """Yield the files below a folder, links followed, as paths below `top`; none that is hidden.

    Args:
      top: the folder, or what it is below.
      name: the folder, below `top`.
      above: what tells the folders that it is in, which no link may lead back to.

    Raises:
      ValueError: one line, if one does.
    """
    place = os.stat(top / name)
    mark = (place.st_dev, place.st_ino)
    if mark in above:
        raise ValueError(f"{top / name}: a link that leads back to a folder it is in; remove it")
    for each in _entries(top / name):
        inner = os.path.join(name, each.name)
        if each.is_dir():
            yield from files_below(top, inner, (*above, mark))
        else:
            yield inner


def _entries(folder):
    """Return what is in a folder, sorted by name, but for what is hidden."""
    with os.scandir(folder) as entries:
        shown = [each for each in entries if each.name[0] != "." and each.name != "__MACOSX"]
    return sorted(shown, key=lambda each: each.name)


def _named(folder, classes):
    """Return classes by their names as text, sorted."""
    try:
        names = class_names(classes)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    return dict(sorted(zip(names, classes.values(), strict=True)))


def _check(folder, found):
    """Raise a ValueError about classes that no episode can be drawn from."""
    owner: dict[str, str] = {}
    for part, classes in found.items():
        for name, files in classes.items():
            if name in owner:
                raise ValueError(
                    f"{folder}: class {name!r} is in both {owner[name]} and {part}; leave it out "
                    "of one, or rename it there if it is another class"
                )
            owner[name] = part
            if len(files) < MIN_IMAGES:
                raise ValueError(
                    f"{folder}: class {name!r} has {len(files)} picture, {files[0]}; an episode "
                    f"needs at least {MIN_IMAGES} (support and query): add some or leave the "
                    "class out"
                )
    check_different(folder, [pair for classes in found.values() for pair in classes.items()])
