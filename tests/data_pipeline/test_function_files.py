"""Functions of one's own, read from .npz files."""

import numpy as np
import pytest

from data_pipeline.function_files import read_functions

X = np.linspace(-5, 5, 24).reshape(3, 8, 1)
GOOD = {"x": X, "y": np.sin(X)}


def saved(path, **arrays):
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_functions_are_what_the_file_holds_as_float32(tmp_path):
    found = read_functions(saved(tmp_path / "train.npz", **GOOD, notes=np.ones(2)), 7)
    assert found.points == 8
    for name, array in (("x", found.x), ("y", found.y)):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, GOOD[name].astype(np.float32))


def test_the_digest_tells_every_value_apart_and_no_type_of_file(tmp_path):
    whole = {"x": np.round(X), "y": np.round(X)}
    digest = read_functions(saved(tmp_path / "a.npz", **whole), 3).digest()
    again = {name: array.astype(np.int16) for name, array in whole.items()}
    assert read_functions(saved(tmp_path / "b.npz", **again), 3).digest() == digest
    changed = whole["y"].copy()
    changed[2, 7] += 1e-3
    for others in (
        {**whole, "y": changed},
        {**whole, "x": changed},
        {name: array[::-1] for name, array in whole.items()},
        {name: array.reshape(4, 6, 1) for name, array in whole.items()},
    ):
        assert read_functions(saved(tmp_path / "c.npz", **others), 3).digest() != digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y": None}, "has no array y; it needs x, y"),
        ({"x": X[..., 0]}, "x must be [functions, points, 1], its shape is (3, 8)"),
        ({"x": np.ones((3, 8, 2))}, "its shape is (3, 8, 2); functions have one number in and one"),
        ({"y": np.ones((3, 9, 1))}, "x (3, 8, 1) and y (3, 9, 1) must have one shape"),
        ({"x": X[:0], "y": X[:0]}, "its shape is (0, 8, 1)"),
        ({"y": np.where(X > 4, np.nan, X)}, "y holds NaN or infinite values; take them out"),
        ({"y": 1e39 * X}, "y holds 5e+39, too large for float32; scale it"),
        ({"x": X.astype(str)}, "x must hold numbers, not <U"),
        ({"x": X.astype(object)}, "x must hold numbers, not object"),
        (
            {"x": X[:, :5], "y": X[:, :5]},
            "its functions have 5 points, --points=5 to adapt to and one to predict need 6; give ",
        ),
    ],
)
def test_what_are_no_functions_is_refused_in_a_line(tmp_path, changes, said):
    path = saved(tmp_path / "train.npz", **{**GOOD, **changes})
    with pytest.raises(ValueError) as caught:
        read_functions(path, 5)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert "\n" not in line


def test_files_that_are_missing_damaged_or_of_another_kind_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz: no such file; give an \.npz of x, y"):
        read_functions(tmp_path / "none.npz", 5)
    path = tmp_path / "array.npz"
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(ValueError, match=r"array\.npz: not an \.npz file of plain arrays"):
        read_functions(path, 5)
    np.savez_compressed(tmp_path / "zip.npz", **GOOD)
    data = bytearray((tmp_path / "zip.npz").read_bytes())
    data[150:190] = bytes(40)
    (tmp_path / "zip.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"zip\.npz: not an \.npz file of plain arrays"):
        read_functions(tmp_path / "zip.npz", 5)
