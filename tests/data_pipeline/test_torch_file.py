"""torch's older files: read without torch, and nothing in them is run."""

import numpy as np
import pytest
from torch_files import VALUES, file_of, inner, sound, state, tensor

from data_pipeline.pickles import torch_file
from data_pipeline.pickles.unpickle import ForbiddenGlobalError


def test_tensors_are_read_by_their_strides(tmp_path):
    found = torch_file.load(sound(tmp_path / "a.pth"))
    assert list(found) == ["rows", "turned", "steps", "none"]
    np.testing.assert_array_equal(found["rows"], VALUES.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], [[1, 13], [2, 14], [3, 15], [4, 16]])
    assert found["steps"] == 7 and found["steps"].dtype == np.int64 and found["none"].size == 0
    assert all(each.flags.c_contiguous and each.flags.owndata for each in found.values())


def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path):
    whole = sound(tmp_path / "a.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.pth: is (truncated|damaged|not a)") as caught:
            torch_file.load(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole + b"x")
    with pytest.raises(ValueError, match="bytes after"):
        torch_file.load(path)


@pytest.mark.parametrize(
    "payload",
    [
        b"cposix\nsystem\n" + inner(("touch {0}",)) + b"R",
        b"cbuiltins\nexec\n" + inner(("open('{0}', 'w')",)) + b"R",
        b"(S'touch {0}'\nios\nsystem\n",
        b"cnumpy\nndarray\n)\x81",
        b"ctorch\nHalfStorage\n",
    ],
)
def test_what_would_run_is_refused_and_not_run(payload, tmp_path):
    trace = tmp_path / "run"
    pickled = b"\x80\x02" + payload.replace(b"{0}", str(trace).encode()) + b"."
    path = file_of(tmp_path / "bad.pth", pickled, {})
    with pytest.raises(ValueError, match="bad.pth: (refused, it names|is damaged)") as caught:
        torch_file.load(path)
    assert not trace.exists()
    if payload.startswith(b"c"):
        assert isinstance(caught.value, ForbiddenGlobalError)


@pytest.mark.parametrize("opcodes", [b"\x93", b"\x81", b"\x92", b"\x82\x01", b"\x97", b"i", b"o"])
def test_opcodes_that_weights_do_not_need_are_refused(opcodes, tmp_path):
    path = file_of(tmp_path / "bad.pth", b"\x80\x02" + inner("a") * 3 + opcodes + b".", {})
    with pytest.raises(ValueError, match="something else than a dict of tensors"):
        torch_file.load(path)


def test_the_stand_ins_cannot_be_called_otherwise_or_changed(tmp_path):
    for pickled in (
        b"ctorch\nFloatStorage\n" + inner((4,)) + b"R",
        b"ccollections\nOrderedDict\n" + inner(([(1, 2)],)) + b"R",
        b"}" + inner(()) + b"R",
    ):
        path = file_of(tmp_path / "bad.pth", b"\x80\x02" + pickled + b".", {})
        with pytest.raises(ValueError, match="a call of something that makes no tensor"):
            torch_file.load(path)
    change = b"ctorch._utils\n_rebuild_tensor_v2\n" + inner({"__doc__": "changed"}) + b"b."
    with pytest.raises(ValueError, match="something else"):
        torch_file.load(file_of(tmp_path / "bad.pth", b"\x80\x02" + change, {}))
    assert "changed" not in torch_file._rebuild.__doc__


@pytest.mark.parametrize(
    ("view", "fault"),
    [
        ((24, 1, (2, 3, 4), (12, 4, 1)), "do not hold"),  # ends one after
        ((24, 0, (10**12,), (0,)), "do not hold"),  # a value repeated would fill the memory
        ((24, -1, (2,), (1,)), "whole numbers"),
        ((24, 0, (2,), (-1,)), "whole numbers"),
        ((24, 0, (2,), (1, 1)), "no storage"),
        ((25, 0, (2,), (1,)), "not of 25 values"),
        ((10**15, 0, (2,), (1,)), "not of 10+ values"),
    ],
)
def test_tensors_beyond_their_storage_are_refused(view, fault, tmp_path):
    pickled = state({"a": tensor("1", "FloatStorage", *view)})
    with pytest.raises(ValueError, match=rf"bad\.pth: is damaged at byte \d+ \(.*{fault}"):
        torch_file.load(file_of(tmp_path / "bad.pth", pickled, {"1": VALUES}))


def test_other_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        torch_file.load(tmp_path / "none.pth")
    with open(tmp_path / "zip.pth", "wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(ValueError, match="zip file.*_use_new_zipfile_serialization=False"):
        torch_file.load(tmp_path / "zip.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="is not a file of torch's"):
        torch_file.load(tmp_path / "text.pth")
