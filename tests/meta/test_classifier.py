"""A method in a few lines: prototypical networks on a linear embedding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from data_pipeline.episodes import EpisodeSampler
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.stream import training_steps
from leo_tf.config import make_config
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.classifier import EpisodicClassifier, check_served

EXPERIMENT = make_config(dataset="tiny", way=4, shot=2, queries=4, tasks=6).experiment


class Prototypes(EpisodicClassifier):
    """Distances to class means after a learned linear map."""

    def __init__(self, dim, **kwargs):
        super().__init__(MetaLearner(outer_lr=0.01), **kwargs)
        self.kernel = self.add_weight(shape=(dim, dim), initializer="identity", name="kernel")
        self.track()
        self.built = True

    def adapt(self, support):
        return tf.reduce_mean(tf.tensordot(support, self.kernel, 1), axis=2)

    def classify(self, params, query):
        apart = tf.tensordot(query, self.kernel, 1)[:, :, tf.newaxis] - params[:, tf.newaxis]
        return -10.0 * tf.reduce_sum(tf.square(apart), axis=-1)


@pytest.fixture(scope="module")
def episodes(tiny):
    return EpisodeSampler(tiny["train"], 4, 2, 4, 6).episodes([1, 2])


def test_its_loss_is_the_cross_entropy_of_the_queries(tiny, episodes):
    result = Prototypes(tiny["train"].dim).meta_loss(episodes)
    support, query = (part.numpy().astype(np.float64) for part in (episodes[0], episodes[2]))
    for task in range(6):
        means = support[task].mean(axis=1)
        losses, right = [], []
        for label in range(4):
            for x in query[task, label]:
                scores = -10 * np.square(x - means).sum(axis=1)
                losses.append(logsumexp(scores) - scores[label])
                right.append(scores.argmax() == label)
        assert result.task_losses[task].numpy() == pytest.approx(np.mean(losses), rel=1e-4)
        assert result.terms["accuracy"][task].numpy() == pytest.approx(np.mean(right))
    assert result.loss.numpy() == pytest.approx(np.mean(result.task_losses), rel=1e-6)


def test_it_learns_to_ignore_what_is_noise(tiny):
    """Half of the dimensions of the tiny set are noise, on all classes."""
    model = Prototypes(tiny["train"].dim)
    evaluator = Evaluator(tiny["val"], 4, 2, 8, 400, seed=0)
    before = evaluator.accuracies(model.classifier()).mean()
    model.compile(optimizer=model.make_optimizer(), jit_compile=True)
    steps = training_steps(model, tiny["train"], EXPERIMENT)
    losses = model.fit(steps, steps_per_epoch=100, epochs=3, shuffle=False, verbose=0).history
    assert losses["loss"][-1] < 0.9 * losses["loss"][0]
    assert evaluator.accuracies(model.classifier()).mean() > before + 0.02
    assert isinstance(model.optimizer, keras.optimizers.Adam)


@pytest.mark.parametrize("sizes", [(4, 2), (4, None), (None, 2), (None, None)])
def test_what_a_classifier_serves_it_serves(sizes):
    check_served((4, 2), sizes)
    check_served((4, 0), sizes)
    check_served((4, 0), (4, 7))
    check_served(None, (3, 3))


@pytest.mark.parametrize(
    ("serves", "sizes", "told"),
    [
        ((4, 2), (4, 3), "for 4-way 2-shot episodes and serves no others; for 4-way 3-shot ones,"),
        ((4, 2), (None, 3), "for 4-way 2-shot episodes and .*; for \\?-way 3-shot ones,"),
        ((4, 0), (3, 2), "for 4-way episodes and serves no others; for 3-way ones,"),
    ],
)
def test_what_it_does_not_serve_is_told_in_a_line(serves, sizes, told):
    with pytest.raises(ValueError, match=told):
        check_served(serves, sizes)
