"""PLATIPUS, probabilistic MAML (Finn, Xu and Levine, NeurIPS 2018, arXiv 1806.02817).

A Normal over the start of MAML's inner loop. In training (algorithm 1) theta is drawn from
q = N(mu - gamma_q grad L_query(mu), v_q), which sees the queries; phi are S gradient steps from
theta on the support; p = N(mu - gamma_p grad L_support(mu), sigma^2) is the prior. The loss is
L_query(phi) + KL(q || p), and its gradient goes through all of these gradients (second order) to
mu, v_q, sigma^2, gamma_q and gamma_p. In testing (algorithm 2) theta is drawn from p, adapted, and
the probabilities of several such draws are averaged.

The bound adds the KL, summed over the parameters, to the sum of the query losses. Divided by the
number of queries, that is their mean, plus the KL over that number, times a weight that is 1 by
default. v_q and sigma^2 are diagonal, kept as logarithms; gamma_q and gamma_p are a number each.

Output units may share mu and the variances, see `leo_tf.meta.softmax_learner`, but never the
noise, so the order of the classes matters a little. What is drawn in testing is the same for all
tasks and at all times: a task's scores do not depend on the others that are scored with it. More
than 64 classes take the draws of their output vectors anew from the first on.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.platipus import PlatipusSettings
from leo_tf.meta.classifier import Classifier, averaged
from leo_tf.meta.distributions import normal_of_variance, sample_with, summed_kl
from leo_tf.meta.gradient_classifier import GradientClassifier
from leo_tf.meta.inner_loops import adapt_parameters, descended
from leo_tf.meta.learner import sizes_of
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Declared, Noise, Normal
from leo_tf.meta.serialisation import registered
from leo_tf.meta.softmax_learner import Params, SoftmaxParameters, labelled
from leo_tf.meta.words import random_words

DRAWN_WAY = 64  # output vectors that are drawn in testing


@registered
class Platipus(GradientClassifier):
    """Gradient descent from a start that is drawn; see `GradientClassifier`."""

    terms = ("query_loss", "kl")

    def make_more(self) -> None:
        """Make the variances and step sizes of q and p."""
        start = keras.initializers.Constant(2 * math.log(self.settings.std_init))
        gamma = keras.initializers.Constant(self.settings.gamma_init)
        self.log_v_q = self.parameters("log_v_q", start)
        self.log_sigma_2 = self.parameters("log_sigma_2", start)
        self.gamma_q = self.add_weight(shape=(), initializer=gamma, name="gamma_q")
        self.gamma_p = self.add_weight(shape=(), initializer=gamma, name="gamma_p")

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare the noise of theta."""
        tasks, way, _, dim = shapes.support
        return {name: Normal((tasks, *shape)) for name, shape in self._shapes(way, dim).items()}

    def _shapes(self, way, dim):
        units = self.settings.learner_units
        if not units:
            return {"output": (way, dim)}
        return {"hidden_kernel": (dim, units), "hidden_bias": (units,), "output": (way, units)}

    def distribution(
        self,
        examples: tf.Tensor,
        gamma: Any,
        log_variances: SoftmaxParameters,
        present: tf.Tensor | None = None,
    ) -> dict[str, Any]:
        """Return q or p: of each of the learner's parameters a Normal, [tasks, ...].

        Args:
          examples: whose mean loss moves the mean away from mu, [tasks, way, shot, dim].
          gamma: how far.
          log_variances: of the parameters.
          present: bool [tasks, way, shot]; None for all.
        """
        mu = self.start.of_tasks(*sizes_of(examples)[:2])
        slopes = self.learner.gradient(mu, *labelled(examples, present))
        means = descended(mu, tf.convert_to_tensor(gamma), slopes)
        variances = log_variances.values()
        return {name: normal_of_variance(means[name], variances[name]) for name in means}

    def descend(
        self, theta: Params, support: tf.Tensor, steps: int, present: tf.Tensor | None = None
    ) -> Params:
        """Take gradient steps from theta on the mean loss of support sets."""
        batches = [labelled(support, present)] * steps
        return adapt_parameters(self.learner, theta, self.settings.inner_rate, batches)

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> Params:
        """Return the learner's parameters, adapted from draws from p, [tasks, samples, ...]."""
        support = tf.convert_to_tensor(support)
        samples, settings = self.settings.theta_samples, self.settings
        tasks, way = sizes_of(support)[:2]
        prior = self.distribution(support, self.gamma_p, self.log_sigma_2, present)
        noise = self._fixed_noise(way)
        theta = {
            name: normal.loc[:, tf.newaxis] + normal.scale[:, tf.newaxis] * noise[name]
            for name, normal in prior.items()
        }
        # The draws of a task are tasks of their own.
        flat = {
            name: tf.reshape(value, [tasks * samples, *sizes_of(value)[2:]])
            for name, value in theta.items()
        }
        support = tf.repeat(support, samples, axis=0)
        present = None if present is None else tf.repeat(present, samples, axis=0)
        phi = self.descend(flat, support, settings.inner_test_steps, present)
        return {
            name: tf.reshape(value, [tasks, samples, *sizes_of(value)[1:]])
            for name, value in phi.items()
        }

    def _fixed_noise(self, way):
        """Return what theta is drawn with in testing, [samples, ...] of each parameter."""
        found, seed = {}, tf.zeros([2], tf.int32)
        for name, shape in self._shapes(DRAWN_WAY, self.input_dim).items():
            shape = (self.settings.theta_samples, *shape)
            drawn = Normal(shape).of_words(random_words(seed, f"platipus/{name}", shape))
            found[name] = tf.cast(drawn, self.compute_dtype)
        positions = tf.range(way) % DRAWN_WAY
        return {**found, "output": tf.gather(found["output"], positions, axis=1)}

    def classify(self, params: Params, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the logarithms of the probabilities, averaged over the draws."""
        samples = range(params["output"].shape[1])
        drawn = [{name: value[:, i] for name, value in params.items()} for i in samples]
        return averaged([self.learner.logits(each, query) for each in drawn])

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Bound of a task: the queries' loss after a draw from q, and the KL of q from p."""
        episodes, noise = self.cast(episodes, noise)
        if noise is None:
            return self.query_loss(self.adapt(episodes.support), episodes)
        posterior = self.distribution(episodes.query, self.gamma_q, self.log_v_q)
        prior = self.distribution(episodes.support, self.gamma_p, self.log_sigma_2)
        theta = {name: sample_with(normal, noise[name]) for name, normal in posterior.items()}
        phi = self.descend(theta, episodes.support, self.settings.inner_steps)
        drawn_once = {name: value[:, tf.newaxis] for name, value in phi.items()}
        return self._bound(self.query_loss(drawn_once, episodes), posterior, prior, episodes)

    def _bound(
        self, result: MetaLoss, posterior: Mapping, prior: Mapping, episodes: Episodes
    ) -> MetaLoss:
        kl = tf.add_n([summed_kl(posterior[name], prior[name]) for name in posterior])
        _, way, queries, _ = episodes.query.shape
        task_losses = result.task_losses + self.settings.bound_weight / (way * queries) * kl
        terms = {**result.terms, "query_loss": result.task_losses, "kl": kl}
        return MetaLoss(tf.reduce_mean(task_losses), task_losses, terms, result.adaptation)

    def classifier(self) -> Classifier:
        """Return the model as a `Classifier`; its scores are never linear."""
        return dataclasses.replace(super().classifier(), adapt=self.adapt, classify=self.classify)


def build(settings: PlatipusSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return Platipus(train.dim, settings, sizes.way).classifier()
