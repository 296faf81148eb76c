"""FEAT against its equations, and what is left of it without the attention."""

import numpy as np
import pytest
from by_hand import cross_entropy, embedded, of_tasks, random_episodes, set_weights, softmax

from leo_tf.config.methods.feat import FEATSettings
from leo_tf.meta.noise import draw
from leo_tf.methods.feat import FEAT

DIM, SIZE, WAY, SHOT, QUERIES = 6, 4, 3, 2, 2


def attention_by_hand(weights, points, keep, norm):
    """Of one set, [n, size]; keep: the factors of dropout."""
    query, key, value, output = (
        weights[f"attention/{name}_kernel"] for name in ("query", "key", "value", "output")
    )
    shares = softmax((points @ query) @ (points @ key).T / np.sqrt(SIZE))
    found = points + keep * (shares @ points @ value @ output + weights["attention/output_bias"])
    if not norm:
        return found
    centred = found - found.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + 1e-5)
    return scaled * weights["attention/norm_gain"] + weights["attention/norm_shift"]


def scores_by_hand(points, centres, scale):
    return -scale * np.square(points[:, None] - centres[None]).sum(axis=-1) / SIZE


@pytest.mark.parametrize(("norm", "hidden"), [(True, 0), (False, 5)])
def test_scores_and_loss_are_those_of_the_equations(norm, hidden):
    settings = FEATSettings(
        embedding_size=SIZE,
        hidden_units=hidden,
        layer_norm=norm,
        attention_dropout=0.4,
        contrast_weight=0.3,
        contrast_scale=7.0,
    )
    model = FEAT(DIM, settings, dtype="float64")
    weights = set_weights(model, seed=1)
    scale = np.exp(weights["scale/log"])
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT, queries=QUERIES)
    noise = draw(model.noise_spec(type(episodes)(*(part.shape for part in episodes))), 0, 0)
    factors = {name: drawn.numpy() / 0.6 for name, drawn in noise.items()}
    assert 0 < noise["prototypes"].numpy().mean() < 1

    def f(x):
        return embedded(np.sqrt(DIM) * x, weights)

    evaluated, trained = model.meta_loss(episodes), model.meta_loss(episodes, noise)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        prototypes, queries = f(support).mean(axis=1), f(query)
        expected = scores_by_hand(queries, attention_by_hand(weights, prototypes, 1.0, norm), scale)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        for result, drops in ((evaluated, None), (trained, factors)):
            keep = 1.0 if drops is None else drops["prototypes"][task]
            adapted = attention_by_hand(weights, prototypes, keep, norm)
            of_queries = cross_entropy(scores_by_hand(queries, adapted, scale), labels)
            images, centres = [], []
            for n in range(WAY):
                images.append(np.concatenate([f(support[n]), queries[labels == n]]))
                keep = 1.0 if drops is None else drops["classes"][task, n]
                centres.append(attention_by_hand(weights, images[n], keep, norm).mean(axis=0))
            owners = np.repeat(np.arange(WAY), SHOT + QUERIES)
            logits = scores_by_hand(np.concatenate(images), np.stack(centres), 7.0)
            contrast = cross_entropy(logits, owners)
            assert result.terms["contrast"][task].numpy() == pytest.approx(contrast)
            assert result.task_losses[task].numpy() == pytest.approx(of_queries + 0.3 * contrast)


def test_without_attention_and_layer_norm_distances_are_those_to_prototypes():
    settings = FEATSettings(embedding_size=SIZE, layer_norm=False, scale_init=SIZE)
    model = FEAT(DIM, settings, dtype="float64")
    weights = set_weights(model, seed=3)
    model.attend.kernels[-1].assign(np.zeros([SIZE, SIZE]))
    model.attend.bias.assign(np.zeros(SIZE))
    model.scale.log.assign(np.log(SIZE))  # a temperature of 1
    for support, query, _ in of_tasks(random_episodes(DIM, seed=4)):
        prototypes = embedded(np.sqrt(DIM) * support, weights).mean(axis=1)
        queries = embedded(np.sqrt(DIM) * query, weights)
        expected = -np.square(queries[:, None] - prototypes[None]).sum(axis=-1)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
