"""Figures of merit of a regression run, beside MAML's and the limit that no method can beat."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipeline.episodes import Episodes
from leo_tf.regression import posterior
from leo_tf.regression.evaluation import (
    are_ambiguous,
    are_sines,
    coverage,
    negative_log_likelihood,
    squared_errors,
)

REFERENCE_LIMIT = 0.068  # mean squared error of the exact posterior mean, on other tasks


def measure(
    predictions: Mapping[str, np.ndarray], maml: np.ndarray, tasks: Episodes
) -> dict[str, Any]:
    """Compare predictions with the truth and with the exact posterior.

    Args:
      predictions: what `Sampler.predictions` returns for the tasks.
      maml: MAML's predictions, [1, tasks, queries, 1].
      tasks: `Episodes` of NumPy arrays, the noise-free functions on one grid as queries.

    Returns:
      A dict of figures, as in result.json. Squared errors are those of the samples' mean.
    """
    truth, x = tasks.query_labels, tasks.query[0, :, 0]
    exact = posterior.fit(tasks.support, tasks.support_labels)
    errors = {stage: squared_errors(found, truth) for stage, found in predictions.items()}
    errors["maml"] = squared_errors(maml, truth)
    errors["limit"] = squared_errors(exact.mean(tasks.query)[np.newaxis], truth)
    final = predictions["adapted"]
    sines = are_sines(final, x).mean(axis=0)
    ambiguous = are_ambiguous(exact.sine_probability)
    both = ((sines > 0) & (sines < 1))[ambiguous]
    means = {f"{name}_squared_error": float(e.mean()) for name, e in errors.items()}
    medians = {f"{name}_median_squared_error": float(np.median(e)) for name, e in errors.items()}
    return {
        **means,
        **medians,
        "ratio_to_limit": means["adapted_squared_error"] / means["limit_squared_error"],
        "ratio_to_reference_limit": means["adapted_squared_error"] / REFERENCE_LIMIT,
        "negative_log_likelihood": negative_log_likelihood(final, truth),
        "coverage_50": 100 * coverage(final, truth, 0.5),
        "coverage_90": 100 * coverage(final, truth, 0.9),
        "ambiguous_tasks": int(ambiguous.sum()),
        "both_families": 100 * float(both.mean()) if len(both) else None,
        "nan_tasks": int(np.isnan(final).any(axis=(0, 2, 3)).sum()),
    }


def table(result: Mapping[str, Any]) -> str:
    """Lay out a regression result as lines of text.

    Args:
      result: a dict with test_episodes, test_samples and what `measure` returns.

    Returns:
      A string of several lines.
    """
    rows = [
        ("LEO, this run", "adapted"),
        ("  before adaptation", "before"),
        ("  after the steps on the latents", "latent"),
        ("MAML, same network and steps", "maml"),
        ("limit: exact posterior mean", "limit"),
    ]
    both = result["both_families"]
    return "\n".join(
        [
            f"sines and lines: {result['test_episodes']} tasks, "
            f"{result['test_samples']} sampled networks each",
            f"{'squared error of the mean':>44}{'median':>10}",
            *(
                f"{label:34}{result[f'{name}_squared_error']:10.4f}"
                f"{result[f'{name}_median_squared_error']:10.4f}"
                for label, name in rows
            ),
            f"ratio to the limit on these tasks {result['ratio_to_limit']:10.2f}",
            f"ratio to {REFERENCE_LIMIT}             {result['ratio_to_reference_limit']:20.2f}",
            f"negative log likelihood, nats     {result['negative_log_likelihood']:10.4f}",
            f"50 % intervals cover, %           {result['coverage_50']:10.1f}",
            f"90 % intervals cover, %           {result['coverage_90']:10.1f}",
            f"ambiguous tasks                   {result['ambiguous_tasks']:10}",
            f"  with samples of both families, %{'-' if both is None else f'{both:10.1f}':>10}",
            f"tasks with a NaN                  {result['nan_tasks']:10}",
        ]
    )
