import base64
import os
import pickle
import random

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
        b"\x80\x02\x82\x01.",  # an extension's registered class
        b"\x80\x02U\x01aQ.",  # a persistent id
        b"\x80\x05\x97.",  # a buffer outside the file
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


def test_other_globals_are_named(tmp_path):
    path = dump(tmp_path / "range.pkl", {"keys": range(3)}, 4)
    with pytest.raises(unpickle.ForbiddenGlobalError, match=r"it names builtins\.range"):
        unpickle.load(path)


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
