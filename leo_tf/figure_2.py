"""Figure 2 of the paper: sampled models of few-shot regression tasks."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot
from matplotlib.lines import Line2D

from data_pipeline.episodes import Episodes
from data_pipeline.regression import SinesAndLines, step_seed
from leo_tf import posterior
from leo_tf.regression_evaluation import are_sines
from leo_tf.regression_export import predict_tasks

POOL = 3000  # tasks to choose from
COLUMNS = 4
SAMPLES = 12
AMBIGUOUS = 0.2  # least posterior probability of either family
TRUTH, SINE, LINE = "black", "tab:blue", "tab:orange"


def draw(loaded, path, seed=1):
    """Draw two rows of panels: tasks of one clear family, and ambiguous ones.

    The tasks are the first of a random sequence that qualify, by the exact posterior alone: what
    the model makes of them plays no part.

    Args:
      loaded: what `leo_tf.regression_export.load` returns.
      path: PNG to write.
      seed: decides the tasks.
    """
    sampler = SinesAndLines(queries=200, query_grid=True)
    drawn = sampler(step_seed(seed, 0, "figure 2"), POOL)
    tasks = Episodes(*(field.numpy() for field in drawn))
    sine = posterior.fit(tasks.support, tasks.support_labels).sine_probability
    chosen = np.concatenate([clear_tasks(sine), ambiguous_tasks(sine)])
    names = ("support_x", "support_y", "query_x")
    arrays = {name: tasks[i][chosen] for i, name in enumerate(names)}
    predictions = predict_tasks(loaded, arrays, SAMPLES)
    x = tasks.query[0, :, 0]
    sines = are_sines(predictions, x)
    figure, panels = pyplot.subplots(
        2, COLUMNS, figsize=(13, 6.2), sharex=True, constrained_layout=True
    )
    for i, (task, panel) in enumerate(zip(chosen, panels.flat, strict=True)):
        for values, is_sine in zip(predictions[:, i, :, 0], sines[:, i], strict=True):
            panel.plot(x, values, color=SINE if is_sine else LINE, alpha=0.6, linewidth=1)
        panel.plot(x, tasks.query_labels[task, :, 0], color=TRUTH, linewidth=2, linestyle="--")
        panel.plot(tasks.support[task], tasks.support_labels[task], "o", color=TRUTH, zorder=3)
        panel.set_title(
            f"P(sine) = {sine[task]:.2f}; {sines[:, i].sum()} of {SAMPLES} samples sines",
            fontsize=10,
        )
        panel.set_ylim(-8.5, 8.5)
    panels[0, 0].set_ylabel("one family clear")
    panels[1, 0].set_ylabel("ambiguous")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def clear_tasks(sine_probability):
    """Choose tasks of one clear family, half of them sines: indices [COLUMNS]."""
    half = COLUMNS // 2
    sines = np.flatnonzero(sine_probability > 0.999)[:half]
    lines = np.flatnonzero(sine_probability < 0.001)[: COLUMNS - half]
    return np.concatenate([sines, lines])


def ambiguous_tasks(sine_probability):
    """Choose tasks where either family has a posterior probability above 0.2: [COLUMNS]."""
    within = np.abs(sine_probability - 0.5) < 0.5 - AMBIGUOUS
    return np.flatnonzero(within)[:COLUMNS]


def _legend():
    return [
        Line2D([], [], color=TRUTH, linestyle="--", linewidth=2, label="truth"),
        Line2D([], [], color=TRUTH, marker="o", linestyle="", label="support, with noise"),
        Line2D([], [], color=SINE, label="sample that a sine fits best"),
        Line2D([], [], color=LINE, label="sample that a line fits best"),
    ]
