import base64
import collections
import datetime
import os
import pathlib
import pickle
import random
import re
import sys

import numpy as np
import pytest
from embedding_files import content, dump

from data_pipeline import released_format
from data_pipeline.pickles import unpickle

# What cPickle of Python 2.7 with NumPy 1.16 wrote for four images of two classes.
PYTHON_2 = base64.b64decode(
    "gAJ9cQEoVQRrZXlzcQJjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxA2NudW1weQpuZGFycmF5CnEE"
    "SwCFVQFih1JxBShLAUsEhWNudW1weQpkdHlwZQpxBlUDUzE5SwBLAYdScQcoSwNVAXxOTk5LE0sBSwB0YolVTHRyYWlu"
    "LW4wMS1uMDFfMC5qcGd0cmFpbi1uMDItbjAyXzEuanBndHJhaW4tbjAxLW4wMV8yLmpwZ3RyYWluLW4wMi1uMDJfMy5q"
    "cGd0YlUGbGFiZWxzcQhoA2gESwCFVQFih1JxCShLAUsEhWgGVQJpOEsASwGHUnEKKEsDVQE8Tk5OSv////9K/////0sA"
    "dGKJVSAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAHRiVQplbWJlZGRpbmdzcQtoA2gESwCFVQFih1JxDChL"
    "AUsESwKGaAZVAmY0SwBLAYdScQ0oSwNVATxOTk5K/////0r/////SwB0YolVIAAAgD8AAABAAABAwAAAAD8AAHpDbxKD"
    "OgAA4EAAAADBdGJ1Lg=="
)
# Every way known to have a pickle call os.system("touch <marker>").
ATTACKS = {
    "protocol 0": b"cos\nsystem\n(S'touch %s'\ntR.",
    "INST": b"(S'touch %s'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch %s'\no.",
    "in an array": b"\x80\x02}(U\x04keys](cos\nsystem\n(S'touch %s'\ntReu.",
    "protocol 4": b"\x80\x04\x8c\x02os\x8c\x06system\x93(S'touch %s'\ntR.",
    "state": b"\x80\x02cnumpy\nndarray\n}U\x0c__setstate__cos\nsystem\nsbS'touch %s'\nb.",
}


def test_what_python_2_wrote(tmp_path):
    path = tmp_path / "train_embeddings.pkl"
    path.write_bytes(PYTHON_2)
    source = released_format.read(path)
    assert source.class_names == ("n01", "n02")
    np.testing.assert_array_equal(source.counts, [2, 2])
    expected = np.array([[1, 2], [250, 1e-3], [-3, 0.5], [7, -8]], np.float32)
    np.testing.assert_array_equal(source.to_array(), expected)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f8", "S5", "U5", "i8", "O"])
@pytest.mark.parametrize("num_rows", [3, 30_000])  # the second is left in the file, then streamed
def test_arrays_are_what_pickle_loads(tmp_path, protocol, dtype, num_rows):
    array = np.random.default_rng(0).integers(-99, 999, [num_rows, 20])
    array = array[:500].astype(dtype) if dtype == "O" else array.astype(dtype)
    path = dump(tmp_path / "array.pkl", [array, np.asfortranarray(array)], protocol)
    for found in unpickle.load(path):
        assert (found.shape, found.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(found.to_numpy(), array)
        np.testing.assert_array_equal(np.concatenate(list(found.blocks(777))), array)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_and_numpy_scalars(tmp_path, protocol):
    value = {"a": [1, -2.5, None, True, (b"x", "é", b"")], "b": [np.str_("no"), np.float32(3)]}
    assert unpickle.load(dump(tmp_path / "value.pkl", value, protocol)) == value


@pytest.mark.parametrize("attack", ATTACKS)
def test_os_system_is_refused_by_name_and_not_run(tmp_path, attack):
    marker, path = tmp_path / "marker", tmp_path / "attack.pkl"
    path.write_bytes(ATTACKS[attack] % os.fsencode(marker))
    with pytest.raises(unpickle.ForbiddenGlobalError, match=r"attack\.pkl: .*names os\.system"):
        unpickle.load(path)
    assert not marker.exists()


def test_the_attacks_would_work(tmp_path):
    marker = tmp_path / "marker"
    pickle.loads(ATTACKS["protocol 0"] % os.fsencode(marker))
    assert marker.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02cnumpy\ndtype\nU\x02f4\x85\x81.",  # NEWOBJ
        b"\x80\x02U\x01aU\x01b\x85R.",  # a call of a string
        b"\x80\x02c_codecs\nencode\n}U\x04nameU\x01xsb.",  # a state for a function
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aU\x06rot_13\x86R.",  # another codec
    ],
)
def test_whatever_else_builds_things_is_refused(tmp_path, code):
    path = tmp_path / "odd.pkl"
    path.write_bytes(code)
    with pytest.raises(ValueError, match=r"odd\.pkl: is damaged at byte \d+"):
        unpickle.load(path)


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02\x82\x01.",  # an extension's registered class
        b"\x80\x02U\x01aQ.",  # a persistent id
        b"\x80\x05\x97.",  # a buffer outside the file
    ],
)
def test_what_lies_outside_is_not_fetched(tmp_path, code):
    path = tmp_path / "odd.pkl"
    path.write_bytes(code)
    with pytest.raises(ValueError, match=r"odd\.pkl: refers to things kept outside of it"):
        unpickle.load(path)


class Points(dict):
    """A dict of a kind that only its program knows."""


DICTS = {
    "defaultdict": lambda items: collections.defaultdict(list, items),
    "defaultdict of int": lambda items: collections.defaultdict(int, items),
    "defaultdict of nothing": lambda items: collections.defaultdict(None, items),
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
    "own": Points,
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", DICTS)
def test_dicts_of_other_kinds_are_read(tmp_path, monkeypatch, protocol, kind):
    monkeypatch.setattr(sys.modules[__name__], "Points", Points)
    monkeypatch.setitem(sys.modules, Points.__module__, sys.modules[__name__])
    path = dump(tmp_path / "dict.pkl", DICTS[kind]({"a": 1, b"b": [2.5], 3: "c"}), protocol)
    assert dict(unpickle.load(path)) == {"a": 1, b"b": [2.5], 3: "c"}


def test_an_ordered_dict_of_python_2(tmp_path):
    path = tmp_path / "dict.pkl"
    pairs = b"](](U\x01aK\x01e](U\x01bK\x02ee"
    path.write_bytes(b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R.")
    assert unpickle.load(path) == {"a": 1, "b": 2}


FOREIGN = {
    "range": (range(3), "a x?range"),
    "set": ({1, 2}, "a set"),
    "date": (datetime.date(2020, 1, 1), r"a datetime\.date"),
    "path": (pathlib.PurePosixPath("a"), r"a pathlib\..*PurePosixPath"),
    "generator": (np.random.default_rng(0), r"a numpy\.random\._pickle\.__generator_ctor"),
    "masked": (np.ma.masked_array([1.0], [True]), r"a numpy\.ma\.core\._mareconstruct"),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("what", FOREIGN)
def test_objects_of_other_classes_are_named_and_harmless(tmp_path, protocol, what):
    value, name = FOREIGN[what]
    path = dump(tmp_path / "train_embeddings.pkl", value, protocol)
    with pytest.raises(ValueError, match=rf"holds {name}") as caught:
        released_format.read(path)
    assert "refused" not in str(caught.value)
    content_with = dict(content(), embeddings=value)
    with pytest.raises(ValueError, match=rf"embeddings must be a NumPy array, not {name}"):
        released_format.read(dump(path, content_with, protocol))
    found = released_format.read(dump(path, dict(content(), about=value), protocol))
    assert found.class_names == ("n0", "n1")


@pytest.mark.parametrize(
    ("name", "hostile"),
    [
        ("os system", True),
        ("posix system", True),
        ("nt system", True),
        ("subprocess Popen", True),
        ("builtins eval", True),
        ("__builtin__ execfile", True),
        ("builtins getattr", True),
        ("importlib import_module", True),
        ("runpy run_path", True),
        ("types CodeType", True),
        ("operator attrgetter", True),
        ("pickle loads", True),
        ("commands getoutput", True),
        ("numpy.testing._private.utils runstring", True),
        ("pip._internal.os system", True),
        ("torch._utils _rebuild_tensor_v2", False),
        ("pandas.core.frame DataFrame", False),
        ("sklearn.preprocessing._data StandardScaler", False),
        ("jax._src.array _reconstruct_array", False),
        ("tensorflow.python.framework.ops convert_to_tensor", False),
        ("xarray.core.dataset Dataset", False),
        ("__main__ Features", False),
        ("run Features", False),
    ],
)
def test_only_what_runs_code_is_called_hostile(tmp_path, name, hostile):
    module, _, function = name.partition(" ")
    path = tmp_path / "train_embeddings.pkl"
    path.write_bytes(f"c{module}\n{function}\n(S'x'\ntR.".encode())
    with pytest.raises(ValueError, match=re.escape(f"{module}.{function}")) as caught:
        released_format.read(path)
    assert isinstance(caught.value, unpickle.ForbiddenGlobalError) == hostile
    assert ("refused, it names" in str(caught.value)) == hostile
    assert "in it was run" in str(caught.value)


def test_a_joblib_file_is_called_that(tmp_path):
    path = tmp_path / "train_embeddings.pkl"
    path.write_bytes(b"\x80\x04\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93)\x81.")
    with pytest.raises(ValueError, match=r"is a joblib file; read it by joblib\.load"):
        released_format.read(path)


def test_bytes_missing_from_a_long_array_are_told_by_the_frames(tmp_path):
    # As many as the opcodes between the array and what follows, so that all can be parsed.
    rows = np.random.default_rng(0).normal(size=(400, 1000)).astype(np.float32)
    data = pickle.dumps({"embeddings": rows, "labels": [i % 4 for i in range(400)]}, 4)
    start = data.index(rows.tobytes())
    path = tmp_path / "train_embeddings.pkl"
    path.write_bytes(data[: start + 500] + data[start + 510 :])
    assert pickle.loads(path.read_bytes())["labels"][3] == 3
    with pytest.raises(ValueError, match=r"is (truncated|damaged)"):
        released_format.read(path)


def test_text_of_python_2_is_utf_8_or_latin_1(tmp_path):
    path = tmp_path / "text.pkl"
    path.write_bytes(b"\x80\x02](U\x05caf\xc3\xa9U\x04caf\xe9T\x05\x00\x00\x00caf\xc3\xa9e.")
    assert unpickle.load(path) == ["café"] * 3


def test_strings_of_numpy_2(tmp_path):
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy 1 has none")
    labels = np.array(["b", "a longer one", "b", "a longer one"], np.dtypes.StringDType())
    value = {"embeddings": np.ones([4, 3]), "labels": labels}
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value))
    assert source.class_names == ("a longer one", "b")


def test_arrays_of_other_types_are_named_where_they_are_needed(tmp_path):
    import ml_dtypes

    path = tmp_path / "train_embeddings.pkl"
    times = np.zeros(6, "M8[s]")
    assert released_format.read(dump(path, dict(content(), times=times))).counts.sum() == 6
    with pytest.raises(ValueError, match="labels an array of M8.* is not read; save text or n"):
        released_format.read(dump(path, dict(content(), labels=times)))
    rows = content()["embeddings"].astype(ml_dtypes.bfloat16)
    with pytest.raises(ValueError, match=r"must be floats, .*bfloat16; convert .*'float32'"):
        released_format.read(dump(path, dict(content(), embeddings=rows)))


def test_every_truncation_is_an_error(tmp_path):
    path = tmp_path / "short.pkl"
    for length in range(len(PYTHON_2)):
        path.write_bytes(PYTHON_2[:length])
        with pytest.raises(ValueError, match=r"short\.pkl: is (empty|not a pickle|truncated)"):
            unpickle.load(path)


def test_a_long_array_cut_off_is_an_error(tmp_path):
    path = dump(tmp_path / "long.pkl", np.zeros([3_000_000], np.float32))
    os.truncate(path, 10_000_000)
    with pytest.raises(ValueError, match="is truncated: it ends after 10000000 bytes"):
        unpickle.load(path)


@pytest.mark.parametrize("more", [b"\0" * 512, pickle.dumps({"b": 2}), b"\n"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_what_comes_after_a_pickle_is_not_passed_over(tmp_path, protocol, more):
    path = dump(tmp_path / "train_embeddings.pkl", {"a": 1}, protocol)
    with open(path, "ab") as file:
        file.write(more)
    with pytest.raises(
        ValueError, match=rf"s\.pkl: goes on for {len(more)} bytes where its"
    ) as caught:
        unpickle.load(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_missing_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder; name a file in it"):
        unpickle.load(tmp_path)


def test_damage_is_never_a_traceback(tmp_path):
    generator = random.Random(0)
    files = [pickle.dumps(content(), protocol) for protocol in range(6)] + [PYTHON_2]
    path = tmp_path / "damaged.pkl"
    refused = 0
    for _ in range(600):
        data = bytearray(generator.choice(files))
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        path.write_bytes(data)
        try:
            released_format.read(path).to_array()
        except ValueError as error:
            refused += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
    assert refused > 300
