"""LEO computed slowly: NumPy float64, one class, example or pair at a time."""

import numpy as np


def softmax_cross_entropy(logits, label):
    shifted = logits - logits.max()
    return np.log(np.exp(shifted).sum()) - shifted[label]


def scale(u, offset):
    return np.maximum(np.exp(u) - (1 - offset), 1e-10)


def relation_network(codes, kernels):
    """Return mean and u of the latents of one task's codes [way, shot, L]: each [way, L]."""
    way, shot, size = codes.shape
    flat = codes.reshape(way * shot, size)
    per_class = []
    for n in range(way):
        outputs = []
        for k in range(shot):
            for other in flat:
                pair = np.concatenate([codes[n, k], other])
                hidden = np.maximum(pair @ kernels[0], 0)
                hidden = np.maximum(hidden @ kernels[1], 0)
                outputs.append(hidden @ kernels[2])
        per_class.append(np.mean(outputs, axis=0))
    return np.split(np.array(per_class), 2, axis=-1)


def support_gradient(copies, support):
    """Return the gradient of one task's summed support loss in the copies [way, shot, dim]."""
    way, shot, _ = copies.shape
    gradient = np.zeros_like(copies)
    for label in range(way):
        for x in support[label]:
            logits = (copies @ x).mean(axis=1)
            share = np.exp(logits - logits.max())
            share /= share.sum()
            for m in range(way):
                gradient[m] += (share[m] - (m == label)) * x / shot
    return gradient


def adapt(variables, support, inner_steps, finetuning_steps):
    """Return latents before and after, and weights after each loop, of one task, by the means.

    Args:
      variables: {name: array} with the names of the golden files.
      support: [way, shot, dim].
    """
    shot, dim = support.shape[1:]
    kernels = [variables[f"relation_{i}"] for i in range(3)]
    mean, _ = relation_network(support @ variables["encoder"], kernels)
    start = z = np.repeat(mean[:, np.newaxis], shot, axis=1)
    decoder = variables["decoder"][:, :dim]
    for _ in range(inner_steps):
        z = z - variables["inner_lr"] * (support_gradient(z @ decoder, support) @ decoder.T)
    after_leo = weights = z @ decoder
    for _ in range(finetuning_steps):
        weights = weights - variables["finetuning_lr"] * support_gradient(weights, support)
    return start, z, after_leo, weights


def adapt_unequal(variables, support, inner_steps, finetuning_steps):
    """Return the weights [way, dim] of one task whose classes have their own numbers of examples.

    Every class has as many latents as examples, all started at the mean of its distribution, each
    moved by the gradient of the summed loss of all examples there are.

    Args:
      variables: {name: array} with the names of the golden files.
      support: a list of arrays [shot of the class, dim].
    """
    dim = support[0].shape[1]
    kernels = [variables[f"relation_{i}"] for i in range(3)]
    codes = [x @ variables["encoder"] for x in support]
    others = [code for of_class in codes for code in of_class]
    decoder = variables["decoder"][:, :dim]
    copies = []
    for of_class in codes:
        outputs = []
        for code in of_class:
            for other in others:
                hidden = np.maximum(np.concatenate([code, other]) @ kernels[0], 0)
                outputs.append(np.maximum(hidden @ kernels[1], 0) @ kernels[2])
        mean = np.split(np.mean(outputs, axis=0), 2)[0]
        copies.append(np.stack([mean] * len(of_class)))
    for _ in range(inner_steps):
        gradients = unequal_gradients([z @ decoder for z in copies], support)
        copies = [
            z - variables["inner_lr"] * (gradient @ decoder.T)
            for z, gradient in zip(copies, gradients, strict=True)
        ]
    weights = [z @ decoder for z in copies]
    for _ in range(finetuning_steps):
        gradients = unequal_gradients(weights, support)
        weights = [
            w - variables["finetuning_lr"] * gradient
            for w, gradient in zip(weights, gradients, strict=True)
        ]
    return np.stack([w.mean(axis=0) for w in weights])


def unequal_gradients(weights, support):
    """Return the gradient of one task's summed support loss in every copy of every class."""
    gradients = [np.zeros_like(w) for w in weights]
    for label, examples in enumerate(support):
        for x in examples:
            logits = np.array([(w @ x).mean() for w in weights])
            share = np.exp(logits - logits.max())
            share /= share.sum()
            for m, w in enumerate(weights):
                gradients[m] += (share[m] - (m == label)) * x / len(w)
    return gradients


def query_loss(weights, query):
    """Return the mean query loss and the accuracy of copies [way, shot, dim] on one task."""
    losses, correct = [], []
    for label, examples in enumerate(query):
        for x in examples:
            logits = (weights @ x).mean(axis=1)
            losses.append(softmax_cross_entropy(logits, label))
            correct.append(logits.argmax() == label)
    return np.mean(losses), np.mean(correct)


def penalties(variables):
    """Return the unweighted L2 and orthogonality penalties."""
    names = ("encoder", "relation_0", "relation_1", "relation_2", "decoder")
    l2 = sum((variables[name] ** 2).sum() / 2 for name in names)
    rows = variables["decoder"]
    orthogonality = [
        (a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) - (i == j)) ** 2
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
    ]
    return l2, np.mean(orthogonality)


def adam(variable, gradients, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Return the variable after TensorFlow 1's Adam has taken one step per gradient."""
    m = v = np.zeros_like(variable)
    for t, gradient in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        step = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        variable = variable - step * m / (np.sqrt(v) + epsilon)
    return variable
