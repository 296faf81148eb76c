"""Names that TensorFlow takes, of paths that it does not."""

import os

import pytest

from data_pipeline.plain_path import PlainPath

ODD = [os.fsdecode(b"\xff"), "a\\b", "run[12]"]


@pytest.mark.parametrize("odd", ODD)
def test_a_plain_name_leads_to_the_same_place_as_long_as_it_is_kept(tmp_path, odd):
    folder = tmp_path / odd
    folder.mkdir()
    of_file, of_folder = PlainPath(folder / "new.txt"), PlainPath(folder)
    with open(str(of_file), "w") as file:
        file.write("here")
    assert (folder / "new.txt").read_text() == "here"
    assert os.listdir(str(of_folder)) == ["new.txt"]
    for plain in (str(of_file), str(of_folder)):
        assert not set("\\[") & set(plain) and plain.encode()
    link = str(of_folder)
    del of_folder
    assert not os.path.lexists(link) and (folder / "new.txt").is_file()


def test_other_names_stay_as_they_are(tmp_path):
    for name in ("a b", "x*?{a,b}", "猫", "it's"):
        assert str(PlainPath(tmp_path / name)) == str(tmp_path / name)
