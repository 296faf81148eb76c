"""Which pictures a folder holds: layouts, tables, and what is refused."""

import os
import shutil
import unicodedata

import pytest
from picture_files import write_classes, write_picture, write_splits

from data_pipeline.class_split import assign
from data_pipeline.images.picture_folders import list_pictures


def refused(folder, *said, error=ValueError, **options):
    with pytest.raises(error) as caught:
        list_pictures(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    for words in said:
        assert words in message
    return message


def table(path, rows, header="filename,label"):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]), encoding="utf-8")


def test_folders_of_splits_are_what_they_say(tmp_path):
    listing = list_pictures(write_splits(tmp_path))
    assert {split: list(classes) for split, classes in listing.splits.items()} == {
        "train": ["a", "b", "c"],
        "val": ["d", "e"],
        "test": ["f", "g"],
    }
    assert listing.splits["val"]["d"] == [f"val/d/00{i}.png" for i in range(4)]
    assert len(listing) == 28 and listing.split is None and listing.seed is None
    assert listing.files()[12] == "val/d/000.png"


def test_val_may_lack_and_may_be_called_validation(tmp_path):
    write_splits(tmp_path)
    (tmp_path / "val").rename(tmp_path / "validation")
    assert list(list_pictures(tmp_path).splits) == ["train", "val", "test"]
    shutil.rmtree(tmp_path / "validation")
    assert list(list_pictures(tmp_path).splits) == ["train", "test"]
    shutil.rmtree(tmp_path / "test")
    refused(tmp_path, "no test")


def test_class_folders_are_shared_out_as_asked(tmp_path):
    names = [f"class {i}" for i in range(20)]
    write_classes(tmp_path, names, 2)
    listing = list_pictures(tmp_path)
    assert (listing.split, listing.seed) == ("64/16/20", 0)
    found = {split: list(classes) for split, classes in listing.splits.items()}
    assert found == assign(names, "64/16/20", 0)
    assert list(map(len, found.values())) == [13, 3, 4]
    other = list_pictures(tmp_path, "50/0/50", 7)
    assert {split: len(classes) for split, classes in other.splits.items()} == {
        "train": 10,
        "test": 10,
    }
    assert "50/0/50 by seed 7" in str(other)


def test_a_split_is_not_asked_for_twice(tmp_path):
    refused(write_splits(tmp_path), "--split", split="64/16/20")
    assert list_pictures(tmp_path, seed=5).seed is None


def test_a_class_may_be_called_train(tmp_path):
    write_classes(tmp_path, ["bus", "train", "tram"], 2)
    listing = list_pictures(tmp_path, "34/33/33")
    assert sorted(name for _, name, _ in listing.classes()) == ["bus", "train", "tram"]


def test_folders_within_a_class_are_of_the_class(tmp_path):
    write_splits(tmp_path)
    write_picture(tmp_path / "train" / "a" / "images" / "more" / "z.JPEG", 77)
    assert "train/a/images/more/z.JPEG" in list_pictures(tmp_path).splits["train"]["a"]


def test_tables_as_of_miniimagenet(tmp_path):
    rows = {"train": "ab", "val": "c", "test": "d"}
    for split, labels in rows.items():
        for label in labels:
            for i in range(3):
                write_picture(tmp_path / "images" / f"{label}{i}.png", ord(label) * 10 + i)
        table(tmp_path / f"{split}.csv", [(f"{c}{i}.png", c) for c in labels for i in (2, 0, 1)])
    listing = list_pictures(tmp_path)
    assert listing.splits["train"]["b"] == [f"images/b{i}.png" for i in range(3)]
    assert "tables" in listing.how


def test_one_table_is_shared_out(tmp_path):
    rows = [(f"{label}/{i}.png", f"name of {label}") for label in "abc" for i in range(2)]
    for i, (name, _) in enumerate(rows):
        write_picture(tmp_path / name, i)
    table(tmp_path / "pictures.csv", rows, "\ufeffFilename, Label")
    listing = list_pictures(tmp_path, "34/33/33", 1)
    assert sorted(name for _, name, _ in listing.classes()) == [f"name of {c}" for c in "abc"]


def test_tables_with_faults(tmp_path):
    for i in range(4):
        write_picture(tmp_path / f"{i}.png", i)
    good = [("0.png", "a"), ("1.png", "a")]
    table(tmp_path / "test.csv", [("2.png", "b"), ("3.png", "b")])
    table(tmp_path / "train.csv", [*good, ("gone.png", "a"), ("lost.png", "a")])
    refused(tmp_path, "train.csv", "2 of 4", "gone.png (line 4)")
    table(tmp_path / "train.csv", [*good, ("1.png", "c")])
    refused(tmp_path, "line 4", "'a'", "'c'")
    table(tmp_path / "train.csv", [*good, ("1.png", "a")])
    refused(tmp_path, "line 4", "twice")
    table(tmp_path / "train.csv", [*good, ("1.png", "")])
    refused(tmp_path, "line 4", "lacks")
    table(tmp_path / "train.csv", good, "file,label")
    refused(tmp_path, "train.csv", "no column filename", "file,label")
    table(tmp_path / "train.csv", [*good, ("2.png", "b"), ("3.png", "b")])
    refused(tmp_path, "class 'b' is in both")


def test_what_is_no_folder_of_pictures(tmp_path):
    refused(tmp_path / "nowhere", "no such folder", error=FileNotFoundError)
    refused(tmp_path, "is empty", error=FileNotFoundError)
    (tmp_path / "a.txt").write_text("text")
    refused(tmp_path / "a.txt", "is a file", error=FileNotFoundError)
    refused(tmp_path, "no folders of classes", "a.txt", error=FileNotFoundError)
    (tmp_path / "notes").mkdir()
    refused(tmp_path, "notes: holds no pictures", error=FileNotFoundError)
    (tmp_path / "notes" / "b.txt").write_text("text")
    refused(tmp_path, "notes", "1 files", "b.txt", ".jpg", error=FileNotFoundError)


def test_a_class_with_too_few_pictures_is_named(tmp_path):
    write_splits(tmp_path)
    write_picture(tmp_path / "train" / "lonely" / "only.png", 5)
    refused(tmp_path, "'lonely'", "1 picture", "only.png")


def test_two_classes_of_the_same_pictures_are_named(tmp_path):
    write_splits(tmp_path)
    copy = tmp_path / "test" / "copy"
    copy.mkdir()
    for i, path in enumerate(sorted((tmp_path / "train" / "b").iterdir())):
        shutil.copy(path, copy / f"renamed {9 - i}.png")
    refused(tmp_path, "'b'", "'copy'", "same pictures")
    shutil.rmtree(copy)
    copy.symlink_to(tmp_path / "train" / "b")
    refused(tmp_path, "'b'", "'copy'", "same pictures")


def test_links_that_go_round_are_named(tmp_path):
    write_splits(tmp_path)
    (tmp_path / "train" / "a" / "loop").symlink_to(tmp_path / "train", target_is_directory=True)
    refused(tmp_path, "loop", "leads back")


def test_links_to_folders_are_followed(tmp_path):
    write_splits(tmp_path / "here")
    elsewhere = write_classes(tmp_path / "there", ["x"], 3, 777)
    (tmp_path / "here" / "train" / "x").symlink_to(elsewhere / "x")
    assert len(list_pictures(tmp_path / "here").splits["train"]["x"]) == 3


def test_splits_beside_classes_are_refused(tmp_path):
    write_splits(tmp_path)
    write_classes(tmp_path, ["more"], 2, 42)
    refused(tmp_path, "more beside them")
    shutil.rmtree(tmp_path / "more")
    write_classes(tmp_path / "test", ["a"], 2, 43)
    refused(tmp_path, "class 'a' is in both train and test")


def test_names_in_any_script(tmp_path):
    names = ["кошка", "猫", "قطة", "chat d'été", "🐈", "=cmd()", "-a_b"]
    write_classes(tmp_path, names, 2)
    found = [name for _, name, _ in list_pictures(tmp_path).classes()]
    assert sorted(found) == sorted(names)
    write_classes(tmp_path, [unicodedata.normalize("NFD", "chat d'été")], 2, 99)
    refused(tmp_path, "as text; rename one")


def test_a_name_that_is_no_text_is_named(tmp_path):
    write_classes(tmp_path, ["a", "b", "c"], 2)
    try:
        write_classes(tmp_path, [os.fsdecode(b"\xff\xfe")], 2, 99)
    except OSError:
        pytest.skip("the file system has names of text alone")
    refused(tmp_path, "rename the class")


def test_what_is_hidden_is_passed_over_and_other_files_are_told(tmp_path):
    write_splits(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "train" / "a" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "train" / "a" / "notes.txt").write_bytes(b"x")
    (tmp_path / "train" / "list.txt").write_bytes(b"x")
    assert sorted(list_pictures(tmp_path).others) == ["train/a/notes.txt", "train/list.txt"]


def test_the_digest_tells_a_changed_file(tmp_path):
    before = list_pictures(write_splits(tmp_path)).digest()
    assert before == list_pictures(tmp_path).digest()
    (tmp_path / "train" / "a" / "000.png").touch()
    assert before != list_pictures(tmp_path).digest()
