"""Published few-shot accuracies, transcribed: what `leo_tf.reference` reads.

Rows hold test accuracies in percent, 5-way, as (1-shot, 5-shot) pairs; None where a paper gives
no figure. "±" is as each paper prints it: mostly a 95 % interval over test tasks, for LEO and the
rows on its features a spread over repeated runs. They are not comparable with each other.
"""

CITATIONS = {
    "vinyals2016": "O. Vinyals, C. Blundell, T. Lillicrap, K. Kavukcuoglu, D. Wierstra. "
    "Matching Networks for One Shot Learning. NeurIPS 2016.",
    "ravi2017": "S. Ravi, H. Larochelle. Optimization as a Model for Few-Shot Learning. ICLR 2017.",
    "finn2017": "C. Finn, P. Abbeel, S. Levine. Model-Agnostic Meta-Learning for Fast Adaptation "
    "of Deep Networks. ICML 2017.",
    "grant2018": "E. Grant, C. Finn, S. Levine, T. Darrell, T. Griffiths. Recasting "
    "Gradient-Based Meta-Learning as Hierarchical Bayes. ICLR 2018.",
    "nichol2018": "A. Nichol, J. Schulman. Reptile: a Scalable Metalearning Algorithm. "
    "arXiv:1803.02999, 2018.",
    "finn2018": "C. Finn, K. Xu, S. Levine. Probabilistic Model-Agnostic Meta-Learning. "
    "NeurIPS 2018.",
    "li2017": "Z. Li, F. Zhou, F. Chen, H. Li. Meta-SGD: Learning to Learn Quickly for Few-Shot "
    "Learning. arXiv:1707.09835, 2017.",
    "mishra2018": "N. Mishra, M. Rohaninejad, X. Chen, P. Abbeel. A Simple Neural Attentive "
    "Meta-Learner. ICLR 2018.",
    "gidaris2018": "S. Gidaris, N. Komodakis. Dynamic Few-Shot Visual Learning without "
    "Forgetting. CVPR 2018.",
    "bauer2017": "M. Bauer, M. Rojas-Carulla, J. B. Świątkowski, B. Schölkopf, R. E. Turner. "
    "Discriminative k-shot Learning Using Probabilistic Models. arXiv:1706.00326, 2017.",
    "munkhdalai2017": "T. Munkhdalai, X. Yuan, S. Mehri, T. Wang, A. Trischler. Learning "
    "Rapid-Temporal Adaptations. arXiv:1712.09926, 2017.",
    "zhou2018": "F. Zhou, B. Wu, Z. Li. Deep Meta-Learning: Learning to Learn in the Concept "
    "Space. arXiv:1802.03596, 2018.",
    "oreshkin2018": "B. N. Oreshkin, P. Rodríguez, A. Lacoste. TADAM: Task Dependent Adaptive "
    "Metric for Improved Few-Shot Learning. NeurIPS 2018.",
    "qiao2017": "S. Qiao, C. Liu, W. Shen, A. Yuille. Few-Shot Image Recognition by Predicting "
    "Parameters from Activations. arXiv:1706.03466, 2017; CVPR 2018.",
    "snell2017": "J. Snell, K. Swersky, R. Zemel. Prototypical Networks for Few-Shot Learning. "
    "NeurIPS 2017; evaluated in M. Ren, E. Triantafillou, S. Ravi, J. Snell, K. Swersky, "
    "J. B. Tenenbaum, H. Larochelle, R. Zemel. Meta-Learning for Semi-Supervised Few-Shot "
    "Classification. ICLR 2018.",
    "sung2018": "F. Sung, Y. Yang, L. Zhang, T. Xiang, P. H. S. Torr, T. M. Hospedales. Learning "
    "to Compare: Relation Network for Few-Shot Learning. CVPR 2018.",
    "liu2018": "Y. Liu, J. Lee, M. Park, S. Kim, E. Yang, S. J. Hwang, Y. Yang. Learning to "
    "Propagate Labels: Transductive Propagation Network for Few-Shot Learning. "
    "arXiv:1805.10002, 2018; ICLR 2019.",
    "rusu2019": "A. A. Rusu, D. Rao, J. Sygnowski, O. Vinyals, R. Pascanu, S. Osindero, "
    "R. Hadsell. Meta-Learning with Latent Embedding Optimization. ICLR 2019.",
}

BOTH = "train+val"  # what the authors of LEO say that their figures come from

# What the rows of a table have in common: (crop of the features, or None where a method has its
# own network; where the figures were published; the splits that were trained on, None: not known).
PAPER = ("center", "LEO paper", BOTH)
CODE = ("center", "LEO released code", BOTH)
MULTIVIEW = ("multiview", "LEO paper", BOTH)
ABLATION = ("center", "LEO paper, ablations", None)
OTHERS = (None, "LEO paper, other methods", None)

# (table, method, citations, 1-shot, 5-shot)
Row = tuple[tuple[str | None, str, str | None], str, tuple[str, ...], str | None, str | None]

MINIIMAGENET: list[Row] = [
    (OTHERS, "Matching networks", ("vinyals2016",), "43.56 ± 0.84", "55.31 ± 0.73"),
    (OTHERS, "Meta-learner LSTM", ("ravi2017",), "43.44 ± 0.77", "60.60 ± 0.71"),
    (OTHERS, "MAML", ("finn2017",), "48.70 ± 1.84", "63.11 ± 0.92"),
    (OTHERS, "LLAMA", ("grant2018",), "49.40 ± 1.83", None),
    (OTHERS, "REPTILE", ("nichol2018",), "49.97 ± 0.32", "65.99 ± 0.58"),
    (OTHERS, "PLATIPUS", ("finn2018",), "50.13 ± 1.86", None),
    (OTHERS, "SNAIL", ("mishra2018",), "55.71 ± 0.99", "68.88 ± 0.92"),
    (OTHERS, "Gidaris & Komodakis", ("gidaris2018",), "56.20 ± 0.86", "73.00 ± 0.64"),
    (OTHERS, "Bauer et al.", ("bauer2017",), "56.30 ± 0.40", "73.90 ± 0.30"),
    (OTHERS, "Munkhdalai et al.", ("munkhdalai2017",), "57.10 ± 0.70", "70.04 ± 0.63"),
    (OTHERS, "DEML+Meta-SGD", ("zhou2018",), "58.49 ± 0.91", "71.28 ± 0.69"),
    (OTHERS, "TADAM", ("oreshkin2018",), "58.50 ± 0.30", "76.70 ± 0.30"),
    (OTHERS, "Qiao et al.", ("qiao2017",), "59.60 ± 0.41", "73.74 ± 0.19"),
    (ABLATION, "Meta-SGD (LEO's features)", ("li2017", "rusu2019"), "54.24 ± 0.03", "70.86 ± 0.04"),
    (ABLATION, "Conditional generator only", ("rusu2019",), "60.33 ± 0.11", "74.53 ± 0.11"),
    (
        ABLATION,
        "Conditional generator + fine-tuning",
        ("rusu2019",),
        "60.62 ± 0.31",
        "76.42 ± 0.09",
    ),
    (ABLATION, "LEO (random prior)", ("rusu2019",), "61.01 ± 0.12", "77.27 ± 0.05"),
    (ABLATION, "LEO (deterministic)", ("rusu2019",), "61.48 ± 0.05", "76.53 ± 0.24"),
    (ABLATION, "LEO (no fine-tuning)", ("rusu2019",), "61.62 ± 0.15", "77.46 ± 0.12"),
    (PAPER, "LEO", ("rusu2019",), "61.76 ± 0.08", "77.59 ± 0.12"),
    (CODE, "LEO", ("rusu2019",), "61.89 ± 0.16", "77.65 ± 0.09"),
    (MULTIVIEW, "LEO", ("rusu2019",), "63.97 ± 0.20", "79.49 ± 0.70"),
]

TIEREDIMAGENET: list[Row] = [
    (OTHERS, "MAML (deeper net)", ("finn2017", "liu2018"), "51.67 ± 1.81", "70.30 ± 0.08"),
    (OTHERS, "Prototypical Nets", ("snell2017",), "53.31 ± 0.89", "72.69 ± 0.74"),
    (OTHERS, "Relation Net", ("sung2018", "liu2018"), "54.48 ± 0.93", "71.32 ± 0.78"),
    (OTHERS, "Transductive Prop. Nets", ("liu2018",), "57.41 ± 0.94", "71.55 ± 0.74"),
    (ABLATION, "Meta-SGD (LEO's features)", ("li2017", "rusu2019"), "62.95 ± 0.03", "79.34 ± 0.06"),
    (ABLATION, "Conditional generator only", ("rusu2019",), "65.17 ± 0.15", "78.77 ± 0.03"),
    (
        ABLATION,
        "Conditional generator + fine-tuning",
        ("rusu2019",),
        "65.74 ± 0.28",
        "80.65 ± 0.07",
    ),
    (ABLATION, "LEO (random prior)", ("rusu2019",), "65.39 ± 0.10", "80.83 ± 0.13"),
    (ABLATION, "LEO (deterministic)", ("rusu2019",), "66.18 ± 0.17", "82.06 ± 0.08"),
    (ABLATION, "LEO (no fine-tuning)", ("rusu2019",), "66.14 ± 0.17", "80.89 ± 0.11"),
    (PAPER, "LEO", ("rusu2019",), "66.33 ± 0.05", "81.44 ± 0.09"),
    (CODE, "LEO", ("rusu2019",), "66.25 ± 0.14", "81.77 ± 0.09"),
]
