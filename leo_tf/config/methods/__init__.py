"""The few-shot classifiers: what --method may be, and the settings of each."""

from typing import Any, NamedTuple

from leo_tf.config.methods.bauer import BauerSettings
from leo_tf.config.methods.conditionally_shifted import ConditionallyShiftedSettings
from leo_tf.config.methods.deml import DEMLSettings
from leo_tf.config.methods.dynamic import DynamicSettings
from leo_tf.config.methods.feat import FEATSettings
from leo_tf.config.methods.fine_tuning import FineTuningSettings
from leo_tf.config.methods.leo import LEOSettings
from leo_tf.config.methods.llama import LLAMASettings
from leo_tf.config.methods.logistic_regression import LogisticRegressionSettings
from leo_tf.config.methods.maml import MAMLSettings
from leo_tf.config.methods.matching import MatchingSettings
from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.methods.meta_lstm import MetaLSTMSettings
from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.config.methods.platipus import PlatipusSettings
from leo_tf.config.methods.prototypical import PrototypicalSettings
from leo_tf.config.methods.qiao import QiaoSettings
from leo_tf.config.methods.relation import RelationSettings
from leo_tf.config.methods.reptile import ReptileSettings
from leo_tf.config.methods.ridge import RidgeSettings
from leo_tf.config.methods.simple_shot import SimpleShotSettings
from leo_tf.config.methods.snail import SNAILSettings
from leo_tf.config.methods.tadam import TADAMSettings
from leo_tf.config.methods.tpn import TPNSettings


class Entry(NamedTuple):
    """A line of the table of methods."""

    title: str  # in reports
    file: str  # leo_tf/methods/<file>.py has a classifier's `build`; presets go by it, too
    settings: type[Method]
    changes: dict[str, Any] = {}  # of its settings' defaults: what makes it another method
    paper: str = ""  # authors, year, where to find it
    learns: str = ""  # what its training decides, in a few words


METHODS = {  # by the value of --method
    "nearest_centroid": Entry("nearest centroid", "nearest_centroid", Method, learns="nothing"),
    "simple_shot": Entry(
        "SimpleShot",
        "simple_shot",
        SimpleShotSettings,
        paper="Wang et al. 2019, arXiv 1911.04623",
        learns="the mean of the base classes' images",
    ),
    "logistic_regression": Entry(
        "logistic regression",
        "logistic_regression",
        LogisticRegressionSettings,
        learns="nothing",
    ),
    "fine_tuning": Entry(
        "fine-tuning",
        "fine_tuning",
        FineTuningSettings,
        paper="Rusu et al. 2019, arXiv 1807.05960 (its ablation)",
        learns="nothing",
    ),
    "matching": Entry(
        "matching networks",
        "matching",
        MatchingSettings,
        paper="Vinyals et al. 2016, arXiv 1606.04080",
        learns="an embedding and a scale",
    ),
    "prototypical": Entry(
        "prototypical networks",
        "prototypical",
        PrototypicalSettings,
        paper="Snell et al. 2017, arXiv 1703.05175",
        learns="an embedding and a scale",
    ),
    "relation": Entry(
        "relation networks",
        "relation",
        RelationSettings,
        paper="Sung et al. 2018, arXiv 1711.06025",
        learns="an embedding and a comparison",
    ),
    "tadam": Entry(
        "TADAM",
        "tadam",
        TADAMSettings,
        paper="Oreshkin et al. 2018, arXiv 1805.10123",
        learns="an embedding that depends on the task, a scale",
    ),
    "tpn": Entry(
        "transductive propagation network",
        "tpn",
        TPNSettings,
        paper="Liu et al. 2019, arXiv 1805.10002",
        learns="an embedding and each example's scale",
    ),
    "snail": Entry(
        "SNAIL",
        "snail",
        SNAILSettings,
        paper="Mishra et al. 2018, arXiv 1707.03141",
        learns="a causal network over examples",
    ),
    "maml": Entry(
        "MAML",
        "maml",
        MAMLSettings,
        paper="Finn et al. 2017, arXiv 1703.03400",
        learns="the start of a classifier's gradient steps",
    ),
    "meta_sgd": Entry(
        "Meta-SGD",
        "meta_sgd",
        MetaSGDSettings,
        paper="Li et al. 2017, arXiv 1707.09835",
        learns="start and step sizes of a classifier's gradient steps",
    ),
    "reptile": Entry(
        "Reptile",
        "reptile",
        ReptileSettings,
        paper="Nichol et al. 2018, arXiv 1803.02999",
        learns="the start of a classifier's steps of Adam",
    ),
    "meta_lstm": Entry(
        "meta-learner LSTM",
        "meta_lstm",
        MetaLSTMSettings,
        paper="Ravi and Larochelle 2017, OpenReview rJY0-Kcll",
        learns="an optimizer and a start",
    ),
    "llama": Entry(
        "LLAMA",
        "llama",
        LLAMASettings,
        paper="Grant et al. 2018, arXiv 1801.08930",
        learns="the start of a classifier's gradient steps",
    ),
    "platipus": Entry(
        "PLATIPUS",
        "platipus",
        PlatipusSettings,
        paper="Finn, Xu and Levine 2018, arXiv 1806.02817",
        learns="distributions of a start",
    ),
    "conditionally_shifted": Entry(
        "conditionally shifted neurons",
        "conditionally_shifted",
        ConditionallyShiftedSettings,
        paper="Munkhdalai et al. 2018, arXiv 1712.09926",
        learns="a network, keys, and shifts of its units by gradients",
    ),
    "dynamic": Entry(
        "dynamic few-shot learning",
        "dynamic",
        DynamicSettings,
        paper="Gidaris & Komodakis 2018, arXiv 1804.09458",
        learns="an embedding, the base classes' weights, attention over them",
    ),
    "bauer": Entry(
        "Gaussian prior on weights",
        "bauer",
        BauerSettings,
        paper="Bauer et al. 2017, arXiv 1706.00326",
        learns="the base classes' weights",
    ),
    "deml": Entry(
        "DEML + Meta-SGD",
        "deml",
        DEMLSettings,
        paper="Zhou et al. 2018, arXiv 1802.03596",
        learns="concepts; on them a start and step sizes",
    ),
    "qiao": Entry(
        "parameters from activations",
        "qiao",
        QiaoSettings,
        paper="Qiao et al. 2018, arXiv 1706.03466",
        learns="a map from activations to weights",
    ),
    "leo": Entry(
        "LEO",
        "leo",
        LEOSettings,
        paper="Rusu et al. 2019, arXiv 1807.05960",
        learns="encoder, decoder and step sizes",
    ),
    "leo_no_finetuning": Entry(
        "LEO (no fine-tuning)",
        "leo",
        LEOSettings,
        {"finetuning_unroll_length": 0},
        paper="Rusu et al. 2019, arXiv 1807.05960",
        learns="encoder, decoder and step sizes",
    ),
    "leo_deterministic": Entry(
        "LEO (deterministic)",
        "leo",
        LEOSettings,
        {"deterministic": True},
        paper="Rusu et al. 2019, arXiv 1807.05960",
        learns="encoder, decoder and step sizes",
    ),
    "leo_random_prior": Entry(
        "LEO (random prior)",
        "leo",
        LEOSettings,
        {"random_prior": True},
        paper="Rusu et al. 2019, arXiv 1807.05960",
        learns="decoder and step sizes",
    ),
    "generator": Entry(
        "conditional generator only",
        "leo",
        LEOSettings,
        {"inner_unroll_length": 0, "finetuning_unroll_length": 0},
        paper="Rusu et al. 2019, arXiv 1807.05960",
        learns="encoder and decoder",
    ),
    "generator_finetuning": Entry(
        "conditional generator + fine-tuning",
        "leo",
        LEOSettings,
        {"inner_unroll_length": 0},
        paper="Rusu et al. 2019, arXiv 1807.05960",
        learns="encoder, decoder and step sizes",
    ),
    "ridge": Entry(
        "ridge regression (R2-D2)",
        "ridge",
        RidgeSettings,
        paper="Bertinetto et al. 2019, arXiv 1805.08136",
        learns="an embedding, the penalty and a scale",
    ),
    "feat": Entry(
        "FEAT",
        "feat",
        FEATSettings,
        paper="Ye et al. 2020, arXiv 1812.03664",
        learns="an embedding, self-attention and a scale",
    ),
}
DEFAULT = "leo"
BASELINE = "nearest_centroid"  # what every result is set beside: it needs no training


def title(method: str) -> str:
    """Return what reports call a method: by its name here, or that of a user's own file."""
    return METHODS[method].title if method in METHODS else method.removesuffix(".py")
