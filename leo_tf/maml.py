"""Model-agnostic meta-learning (Finn et al., ICML 2017), the yardstick of the regressor."""

from typing import NamedTuple

import tensorflow as tf

from leo_tf.inner_loops import adapt_parameters
from leo_tf.meta_model import MetaLoss, MetaModel
from leo_tf.mlp import initial_parameters
from leo_tf.regressor import NetworkRegression


class Adapted(NamedTuple):
    """What MAML makes of a batch of support sets."""

    params: tf.Tensor  # [tasks, 1, num_parameters]


class MAML(MetaModel):
    """Gradient descent on all parameters from a meta-learned start, second order included.

    Args:
      input_size, output_size: values of an example and of its label.
      network_hidden: units of the network's hidden layers.
      unroll_length: number of gradient steps.
      lr_init: initial value of the meta-learned step size of each parameter.
      bound: bound of the steps, see `leo_tf.inner_loops`; None for none.
      **kwargs: see `MetaModel`.
    """

    terms = ("query_loss",)
    rate_names = ("inner_lr",)

    def __init__(
        self,
        input_size=1,
        output_size=1,
        network_hidden=(40, 40),
        *,
        unroll_length=10,
        lr_init=0.05,
        bound=None,
        **kwargs,
    ):
        sizes = (input_size, *network_hidden, output_size)
        super().__init__(NetworkRegression(sizes), **kwargs)
        self.unroll_length = unroll_length
        self.bound = bound
        self.params_init = self.add_weight(
            shape=(self.learner.num_parameters,), initializer="zeros", name="params_init"
        )
        self.params_init.assign(initial_parameters(sizes))
        self.inner_lr = self.rates(self.learner.num_parameters, lr_init, "inner_lr")
        self.track()
        self.built = True

    def adapt(self, support, labels, noise=None):
        """Fit the network to support sets [tasks, points, ...]; returns an `Adapted`."""
        params = tf.tile(self.params_init[tf.newaxis, tf.newaxis], [tf.shape(support)[0], 1, 1])
        batches = [(support, labels)] * self.unroll_length
        return Adapted(adapt_parameters(self.learner, params, self.inner_lr, batches, self.bound))

    def meta_loss(self, episodes, noise=None):
        """Adapt to the support sets and evaluate on the queries; returns a `MetaLoss`."""
        adapted = self.adapt(episodes.support, episodes.support_labels)
        evaluated = adapted.params, episodes.query, episodes.query_labels
        query_loss = self.learner.query_loss(*evaluated)
        terms = {**self.learner.metrics(*evaluated), "query_loss": query_loss}
        return MetaLoss(tf.reduce_mean(query_loss), query_loss, terms, adapted)

    def call(self, support, labels):
        """Adapted parameters, [tasks, 1, num_parameters]."""
        return self.adapt(support, labels).params
