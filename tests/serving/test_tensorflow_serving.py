"""The requests that docs/serving.md shows, and what a server needs to find in a SavedModel."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from markdown_blocks import blocks
from rest_layer import RequestError, predict, served
from tensorflow.python.saved_model import loader_impl

from data_pipeline import EmbeddingSet
from leo_tf import methods
from leo_tf.classification.export import export
from leo_tf.config import make_config

DIM = 4  # of the page's embeddings
PAGE = "docs/serving.md"


def write(folder, method):
    """Write an untrained model of a method."""
    generator = np.random.default_rng(0)
    arrays = {f"class {i}": generator.normal(size=(8, DIM)) for i in range(6)}
    config = make_config(experiment="classification", method=method)
    classifier = methods.build(
        config.method, config.settings, EmbeddingSet.from_arrays(arrays, "four/center/train")
    )
    export(classifier, DIM, folder, {})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("served") / "saved_model", "leo")


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder))


def requested(name):
    """Return the text of a request that the page shows."""
    (block,) = (block for block in blocks(PAGE) if block.title == f"{name}.json")
    return block.text


def answered(loaded, text):
    return np.array(json.loads(predict(loaded, text))["outputs"])


def test_the_support_set_of_the_page_is_adapted_to(loaded):
    text = requested("adapt")
    support = json.loads(text)["inputs"]["support"]
    found = answered(loaded, text)
    assert found.shape == (1, 2, DIM)
    np.testing.assert_allclose(found, loaded.adapt(support), atol=1e-6)


def test_the_queries_of_the_page_are_classified(loaded):
    text = requested("classify")
    given = json.loads(text)["inputs"]
    query = np.array(given["query"])
    unit = query / np.linalg.norm(query, axis=-1, keepdims=True)
    scores = unit @ np.swapaxes(np.array(given["weights"]), 1, 2)  # LEO's classifier is linear
    found = answered(loaded, text)
    np.testing.assert_allclose(found, scores, atol=1e-6)
    np.testing.assert_allclose(found[0, 0], found[0, 2], atol=1e-6)  # one five times the other
    assert found[0].argmax(-1).tolist() == [0, 1, 0]


def test_the_mask_of_the_page_leaves_an_example_out(loaded):
    text = requested("adapt_present")
    given = json.loads(text)["inputs"]
    found = answered(loaded, text)
    rows = [
        [row for row, there in zip(*each, strict=True) if there]
        for each in zip(given["support"][0], given["present"][0], strict=True)
    ]
    np.testing.assert_allclose(
        found,
        loaded.adapt(tf.ragged.constant([rows], inner_shape=(DIM,), ragged_rank=2)),
        atol=1e-6,
    )
    given["support"][0][1][1] = [1e3] * DIM
    again = json.dumps({"signature_name": "adapt_present", "inputs": given})
    np.testing.assert_array_equal(found, answered(loaded, again))


@pytest.mark.parametrize(
    "inputs, said",
    [
        ({"support": [[[[0.1] * DIM]]], "present": [[[1]]]}, "1 is not of expected type: bool"),
        ({"support": [[[[0.1] * DIM], []]], "present": [[[True]]]}, "list at unexpected size"),
        ({"support": [[[[0.1] * 5]]], "present": [[[True]]]}, "is expected"),
        ({"support": [[[[0.1] * DIM]]]}, "Missing named input: {'present'}"),
        ([[[[0.1] * DIM]]], "plain value/list"),
    ],
)
def test_wrong_requests_are_refused(loaded, inputs, said):
    text = json.dumps({"signature_name": "adapt_present", "inputs": inputs})
    with pytest.raises(RequestError, match=said):
        predict(loaded, text)


def test_the_python_of_the_page_asks_and_gets_the_scores(loaded):
    (block,) = (block for block in blocks(PAGE) if block.language == "python")
    generator = np.random.default_rng(1)
    examples, queries = generator.normal(size=(3, 2, DIM)), generator.normal(size=(5, DIM))
    names = {"examples": examples.tolist(), "queries": queries.tolist()}
    with served(loaded, "glyphs") as address:
        assert block.text.count("localhost:8501") == 1
        exec(block.text.replace("localhost:8501", address), names)
    expected = loaded.classify(loaded.adapt([examples]), [queries])
    np.testing.assert_allclose(names["scores"], expected[0], atol=1e-5)


@pytest.mark.parametrize("method", ["leo", "prototypical"])
def test_a_server_finds_plain_operations_alone(folder, tmp_path, method):
    """None that XLA must compile, and none of another library."""
    path = folder if method == "leo" else write(tmp_path / method, method)
    (graph,) = loader_impl.parse_saved_model(str(path)).meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    functions = graph.graph_def.library.function
    assert not [each for each in functions if each.attr["_XlaMustCompile"].b]
    nodes = [*graph.graph_def.node, *(node for each in functions for node in each.node_def)]
    assert not [node.op for node in nodes if "Xla" in node.op or ">" in node.op]
    for name in ("adapt", "adapt_present", "classify"):
        signature = graph.signature_def[name]
        assert signature.method_name == "tensorflow/serving/predict"
        assert signature.outputs.keys() == {"output_0"}
    named = set(graph.signature_def["classify"].inputs)
    assert named == {"query", "weights" if method == "leo" else "params_0"}


@pytest.mark.long
def test_the_tool_of_the_page_calls_the_signature(folder, loaded, tmp_path):
    support = np.random.default_rng(2).normal(size=(1, 3, 2, DIM)).astype(np.float32)
    np.save(tmp_path / "support.npy", support)
    (block,) = (block for block in blocks(PAGE) if "saved_model_cli" in block.text)
    tool = str(Path(sys.executable).with_name("saved_model_cli"))
    printed = []
    for words in block.commands:
        words = [
            word.replace("runs/glyphs_5way_1shot/seed0/saved_model", str(folder)) for word in words
        ]
        done = subprocess.run(
            [tool, *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-1000:]
        printed.append(done.stdout)
    assert all(f"signature_def['{name}']" in printed[0] for name in loaded.signatures)
    found = np.load(tmp_path / "adapted" / "output_0.npy")
    np.testing.assert_allclose(found, loaded.adapt(support), atol=1e-6)
