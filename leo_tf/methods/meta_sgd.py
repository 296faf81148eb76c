"""Meta-SGD (Li et al. 2017, arXiv 1707.09835).

MAML whose step sizes are learned, one for each parameter: phi <- phi - alpha * grad L_support(phi)
(equation 2), where theta and alpha follow the gradient of L_query(phi). An alpha may turn negative.
It starts evenly distributed in [0.005, 0.1] in the paper; embeddings of length 1 give smaller
gradients than pictures, so the interval here is a setting, of the same ratio, and the variables
are in units of its end.

The paper takes one step. LEO's paper reports it on embeddings ("Meta-SGD (our features)") and says
no number of steps; five are taken here, as many as LEO's fine-tuning takes. By default the learner
is linear, as there, and output units share one initial vector and their step sizes: the vector then
changes nothing (see `leo_tf.meta.softmax_learner`), and what is learned is how far to step along
each dimension of the embedding.
"""

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.gradient_classifier import LearnedRates
from leo_tf.meta.serialisation import registered


@registered
class MetaSGD(LearnedRates):
    """Gradient descent at meta-learned rates from a meta-learned start."""


def build(settings: MetaSGDSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return MetaSGD(train.dim, settings, sizes.way).classifier()
