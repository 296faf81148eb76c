"""What is told of names and errors: a line of characters that can be seen."""

import os

import pytest

from data_pipeline.command_line import error_line
from data_pipeline.one_line import plain


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("é 猫", "é 猫"),
        (os.fsdecode(b"\xff\xe9a"), r"\xff\xe9a"),
        ("a\ud800b", r"a\ud800b"),  # as JSON may hold it: no byte of a file's name
        ("a\nb\x1b\u2028", r"a\nb\x1b\u2028"),
    ],
)
def test_names_of_any_kind_are_characters(name, seen):
    assert plain(name) == seen


def test_an_error_is_a_line_whatever_it_names():
    line = error_line(ValueError("a\ud800: two  spaces\n  and an end"))
    assert line == r"error: a\ud800: two  spaces and an end"
