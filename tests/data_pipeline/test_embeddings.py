import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from embedding_files import arrays, dataset

from data_pipeline import EmbeddingSet, load_split
from data_pipeline.embeddings import aligned_empty


def test_from_arrays_sorts_by_class():
    given = {"b": np.full([3, 2], 2.0), "c": np.full([2, 2], 3.0), "a": np.full([4, 2], 1.0)}
    embeddings = EmbeddingSet.from_arrays(given, name="mine")
    assert (embeddings.name, embeddings.class_names) == ("mine", ("a", "b", "c"))
    assert (embeddings.num_classes, embeddings.dim, len(embeddings)) == (3, 2, 9)
    np.testing.assert_array_equal(embeddings.counts, [4, 3, 2])
    np.testing.assert_array_equal(embeddings.starts, [0, 4, 7])
    np.testing.assert_array_equal(embeddings.embeddings[:, 0], [1, 1, 1, 1, 2, 2, 2, 3, 3])
    assert embeddings.embeddings.dtype == np.float32
    given["a"][:] = 9
    np.testing.assert_array_equal(embeddings.of_class("a"), np.ones([4, 2]))
    assert repr(embeddings) == "EmbeddingSet(mine: 3 classes, 9 images, 2-d)"


def test_of_class_shares_memory_and_names_a_class_it_has_not():
    embeddings = EmbeddingSet.from_arrays(arrays())
    assert np.shares_memory(embeddings.of_class("n2"), embeddings.embeddings)
    assert embeddings.of_class("n2").shape == (7, 7)
    with pytest.raises(ValueError, match="arrays has no class 'n9'"):
        embeddings.of_class("n9")


def with_value(value):
    array = np.ones([3, 4])
    array[1, 2] = value
    return array


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones([3, 4, 1]), r"'b' must be a float array \[images, dim\]; it is float64 \[3, 4, 1"),
        (np.ones([3, 0]), r"it is float64 \[3, 0\]"),
        (np.ones([3, 4], int), "it is int64"),
        (np.ones([3, 5]), "'b' has embeddings of size 5, others 4"),
        (np.ones([1, 4]), "'b' has 1 image"),
        (np.ones([0, 4]), "'b' has 0 image"),
        (with_value(np.nan), "class 'b', image 1 holds NaN"),
        (with_value(np.inf), "class 'b', image 1 holds infinite values"),
        (with_value(1e300), "class 'b', image 1 holds infinite values, or values too large"),
        (np.concatenate([np.ones([2, 4]), np.zeros([1, 4])]), "class 'b', image 2 is zero"),
    ],
)
def test_from_arrays_names_the_class_at_fault(bad, message):
    with pytest.raises(ValueError, match=f"^arrays: .*{message}"):
        EmbeddingSet.from_arrays({"a": np.ones([3, 4]), "b": bad, "c": np.ones([3, 4])})


@pytest.mark.parametrize("nothing", [{}, [], None, np.ones([2, 3])])
def test_from_arrays_of_nothing(nothing):
    with pytest.raises(ValueError, match="arrays: .*give {class name: array"):
        EmbeddingSet.from_arrays(nothing)


NAMES = [
    ({10: 0, 9: 1, "a-b": 2, b"caf\xc3\xa9": 3}, ("10", "9", "a-b", "café")),
    ({np.int64(3): 0, np.str_("x y"): 1, True: 2, 2.0: 3}, ("2", "3", "True", "x y")),
    ({"my_cat": 0, "Ärger": 1, "🦉": 2, "a/b": 3}, ("a/b", "my_cat", "Ärger", "🦉")),
    ({-1: 0, 0.5: 1}, ("-1", "0.5")),
]


@pytest.mark.parametrize(("given", "names"), NAMES)
def test_class_names_are_text_made_of_what_is_given(given, names):
    arrays_of = {name: np.full([2, 3], 1.0 + i) for name, i in given.items()}
    embeddings = EmbeddingSet.from_arrays(arrays_of)
    assert embeddings.class_names == names
    assert all(type(name) is str for name in embeddings.class_names)
    for name, array in arrays_of.items():
        np.testing.assert_array_equal(embeddings.of_class(name), array)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (["", "a"], "class name '' is empty; give the class a name"),
        ([0, "0"], "class names 0 and '0' are both '0' as text; rename one"),
        ([b"a", "a"], "class names b'a' and 'a' are both 'a' as text"),
        (["a\n", "a"], r"class name 'a\\n' holds '\\n', which is no printable character; rename"),
        (["a\0", "a"], "class name .* which is no printable character"),
        (["\ud800", "a"], "class name .* which is no printable character"),
        ([("a", 1), "a"], r"\('a', 1\) \(tuple\) is no name of a class; use text or numbers"),
        ([None, "a"], "None .* is no name of a class"),
        ([float("nan"), "a"], "nan .* is no name of a class"),
    ],
)
def test_names_that_cannot_be_kept_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"^arrays: {message}"):
        EmbeddingSet.from_arrays({name: np.ones([2, 3]) for name in bad})


class HasArray:
    """What other libraries' arrays are to NumPy."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


KINDS = {
    "bfloat16": lambda rows: tf.constant(rows, tf.bfloat16),
    "float8": lambda rows: np.asarray(rows, ml_dtypes.float8_e4m3fn),
    "tensor": lambda rows: tf.constant(rows, tf.float64),
    "variable": lambda rows: tf.Variable(rows),
    "lists": lambda rows: rows.tolist(),
    "list of tensors": lambda rows: [tf.constant(row) for row in rows],
    "like an array": HasArray,
    "unmasked": np.ma.masked_array,
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_an_array_of_floats_is_taken(kind):
    rows = np.array([[1, 2.5], [-0.5, 8]], np.float32)
    embeddings = EmbeddingSet.from_arrays({"a": KINDS[kind](rows), "b": rows})
    np.testing.assert_array_equal(embeddings.embeddings, [*rows, *rows])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[1, 2], [3, 4]], "it is int64"),
        (ml_dtypes.int4(3) * np.ones([2, 2], ml_dtypes.int4), "it is int4"),
        ([[1.0], [1.0, 2.0]], r"cannot be made a NumPy array \(.*inhomogeneous"),
        (np.ma.masked_array(np.ones([2, 2]), [[0, 1], [0, 0]]), "has masked values"),
        ([["1", "2"]] * 2, "it is <U1"),
        (tf.ragged.constant([[1.0], [1.0, 2.0]]), "must be a float array"),
        (3.0, r"it is float64 \[\]"),
        (None, r"it is object \[\]"),
    ],
)
def test_what_is_no_array_of_floats_is_named(bad, message):
    with pytest.raises(ValueError, match=f"^arrays: class 'a' .*{message}"):
        EmbeddingSet.from_arrays({"a": bad})


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_the_tensor_of_a_memory_mapped_set_stays_on_disk(tmp_path):
    tf.gather(EmbeddingSet.from_arrays(arrays()).tensor(), np.arange(3)).numpy()  # start up
    dataset(tmp_path, splits=["train"], num_classes=20, images=5000, dim=256)  # 100 MB
    load_split(tmp_path, "mine")
    before = resident_bytes()
    embeddings = load_split(tmp_path, "mine")
    tensor = embeddings.tensor()
    rows = [0, len(embeddings) // 2, len(embeddings) - 1]  # the system may map 2 MB for each
    gathered = tf.gather(tensor, rows).numpy()
    assert resident_bytes() - before < 15e6
    np.testing.assert_array_equal(gathered, embeddings.embeddings[rows])
    assert tensor.dtype == tf.float32
    assert embeddings.tensor() is tensor


def test_the_tensor_shares_memory():
    embeddings = EmbeddingSet.from_arrays(arrays())
    tensor = embeddings.tensor()
    embeddings.embeddings[3, 2] = 77.0
    assert tensor[3, 2].numpy() == 77.0


@pytest.mark.parametrize("offset", [1, 4, 15])
def test_an_array_out_of_alignment_is_copied(offset):
    array = aligned_empty(1, 64 * 64 + 16)[0, offset : offset + 64 * 64].reshape(64, 64)
    array[:] = np.random.default_rng(0).normal(size=[64, 64])
    tensor = EmbeddingSet(array, ["a"], [64]).tensor()
    product = tf.linalg.matmul(tensor, tensor, transpose_b=True)  # aborts on unaligned tensors
    np.testing.assert_allclose(product, array @ array.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(1, 33, dtype=np.float32).reshape(4, 8)),
        np.arange(1, 33, dtype=np.float64).reshape(4, 8),
        np.broadcast_to(np.float32(3), [4, 8]),
    ],
)
def test_an_array_that_cannot_be_shared_is_copied(array):
    np.testing.assert_array_equal(EmbeddingSet(array, ["a"], [4]).tensor(), array)


def test_the_tensor_can_be_made_inside_a_function():
    embeddings = EmbeddingSet.from_arrays(arrays())

    @tf.function
    def total():
        return tf.reduce_sum(embeddings.tensor())

    np.testing.assert_allclose(total(), embeddings.embeddings.sum(), rtol=1e-5)
    np.testing.assert_array_equal(embeddings.tensor(), embeddings.embeddings)
