"""A training step in parts is the step of the whole batch, on any number of threads."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import changed, draw_step, make_model

from data_pipeline.episodes import Episodes
from leo_tf.meta.parts import Part, averaged, part_sizes, split


def tasks(number):
    return Episodes(*(tf.zeros([number, 3, 2, 4]) for _ in range(4)))


@pytest.mark.parametrize(
    ("number", "parts", "sizes"),
    [(12, 2, [6, 6]), (5, 2, [3, 2]), (1, 2, [0]), (2, 2, [1, 1]), (12, 1, [0]), (7, 3, [3, 2, 2])],
)
def test_parts_are_nearly_equal_and_all_there_is(number, parts, sizes):
    assert part_sizes(tasks(number), parts) == sizes


def test_tasks_that_are_not_counted_are_one_part():
    sizes = []

    @tf.function(input_signature=[tf.TensorSpec([None, 3, 2, 4])])
    def trace(support):
        sizes.append(part_sizes(tasks(4)._replace(support=support), 2))

    trace.get_concrete_function()
    assert sizes == [[0]]
    assert part_sizes(tasks(4)._replace(support=tf.zeros([])), 2) == [0]


def test_parts_are_cut_in_order():
    whole = {"a": tf.range(5), "b": (tf.range(10, 15),)}
    first, second = split(whole, [3, 2])
    np.testing.assert_array_equal(first["a"], [0, 1, 2])
    np.testing.assert_array_equal(second["b"][0], [13, 14])
    assert split(whole, [0]) == [whole]


def test_means_of_parts_count_tasks():
    parts = [
        Part(tf.constant(x), {"kl": tf.constant(2 * x)}, [tf.fill([2], x)]) for x in (1.0, 6.0)
    ]
    mean = averaged(parts, [3, 2])
    assert mean.loss.numpy() == pytest.approx(3.0)
    assert mean.terms["kl"].numpy() == pytest.approx(6.0)
    np.testing.assert_allclose(mean.gradients[0], [3.0, 3.0])


@pytest.mark.parametrize("number", [1, 3])
def test_an_uneven_batch_takes_the_step_of_the_whole(tiny, number):
    """In float64 without a compiler, to the last digits, and the logs are means over all tasks."""
    config = changed(tasks=number, inner_unroll_length=1, finetuning_unroll_length=1)
    whole, parted = (make_model(16, config, "float64") for _ in range(2))
    for model in (whole, parted):
        model.compile(keras.optimizers.Adam(0.01, epsilon=1e-8), jit_compile=False)
    step = draw_step(tiny["train"], config)
    result, gradients, _ = whole.outer_step(*step)
    logs = parted.train_step(step)
    for variable, expected in zip(
        parted.trainable_variables, whole.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(variable, expected, rtol=1e-9, atol=1e-12)
    assert logs["loss"].numpy() == pytest.approx(result.loss.numpy(), rel=1e-9)
    kl = result.terms["kl"].numpy()
    assert kl.shape == (number,)
    assert logs["kl"].numpy() == pytest.approx(kl.mean(), rel=1e-9)
    norm = np.linalg.norm(gradients[-1])
    assert logs["gradient_norm/decoder/kernel"].numpy() == pytest.approx(norm, rel=1e-9)


def test_compiling_is_on_unless_it_is_switched_off():
    model = make_model(16)
    for given, expected in (("auto", True), (True, True), (False, False)):
        model.compile(model.make_optimizer(), jit_compile=given)
        assert model.jit_compile is expected
        assert model.get_compile_config()["jit_compile"] is expected


TRAIN = """
import os, sys, zlib
import numpy as np, tensorflow as tf
if sys.argv[1] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
else:
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
from leo_tf.startup import start_tensorflow
start_tensorflow()
from data_pipeline.synthetic import SplitSize, make_set
from leo_tf.classification.stream import training_steps
from leo_tf.config import presets
from leo_tf.config.experiments import Classification
from leo_tf.methods.leo import LEOClassifier
experiment = Classification(shot=int(sys.argv[2]), tasks=5)
train = make_set(SplitSize(8, 320), 640)
tf.keras.utils.set_random_seed(0)
model = LEOClassifier(640, dropout_rate=0.3)
model.compile(model.make_optimizer(0.01))
model.fit(training_steps(model, train, experiment), steps_per_epoch=4, shuffle=False, verbose=0)
bits = b"".join(np.asarray(v).tobytes() for v in model.trainable_variables)
print("bits", zlib.crc32(bits), np.isfinite(np.frombuffer(bits, np.float32)).all())
"""


def train(threads, shot):
    """Train at published sizes, where products are shared between threads; a digest of the bits."""
    command = [sys.executable, "-c", TRAIN, threads, str(shot)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    digest, finite = done.stdout.split("bits")[-1].split()
    assert finite == "True"
    return digest


@pytest.mark.long
def test_the_number_of_threads_changes_no_bit():
    assert train("1", 1) == train("2", 1) == train("4", 1)


@pytest.mark.long
def test_one_core_rounds_as_two():
    """At 5 shots long sums are cut by the number of threads, which is 2 on a core, too."""
    assert train("one core", 5) == train("2", 5)
