"""Figure 4 of the paper: curvature, singular values of the decoder, lengths of inner steps."""

from data_pipeline import atomic
from leo_tf.markdown import as_csv
from leo_tf.reports import boxes
from leo_tf.reports.asked import Asked
from leo_tf.reports.claims import Told
from leo_tf.reports.coverage import FINE_TUNING, INDUCED, measure

SHOWN = {  # by role: name, colour
    "leo": ("LEO", "tab:red"),
    "generator_finetuning": ("gen+ft", "tab:green"),
    "meta_sgd": ("Meta-SGD", "tab:blue"),
}
SPACES = {"z": "$z$", "theta": r"$\theta$"}
OF_STEPS = {INDUCED: "\ninduced", FINE_TUNING: "\nfine-tuning"}  # what else is told of some
PANELS = {
    "a": "(a) |eigenvalues| of the support loss's Hessian",
    "b": "(b) singular values of the decoder",
    "c": "(c) lengths of inner steps",
}

NOTE = "boxes: quartiles; whiskers: 5th and 95th percentile; zeros are left out"


def draw(asked: Asked) -> list[str]:
    """Draw the three panels, and write their numbers as CSV.

    Returns:
      What they show, and whether what the paper says of them holds here.
    """
    found = [each for role in asked.runs for each in measure(asked, role)]
    text = as_csv(boxes.COLUMNS, [each.row for each in found])
    atomic.write_text(asked.numbers, text)
    with atomic.writer(asked.path) as file:
        _plot(found).savefig(file, format="png", dpi=100)
    titles = {role: name for role, (name, _) in SHOWN.items()}
    heading = f"{', '.join(titles.values())} on {asked.sizes} of {asked.embeddings.name}."
    return [heading, *Told(found, titles).lines()]


def _plot(found):
    from matplotlib.figure import Figure

    of_panels = {name: [each for each in found if each.about.panel == name] for name in PANELS}
    widths = [len(each) + 1 for each in of_panels.values()]
    figure = Figure(figsize=(15, 4.6), layout="constrained")
    panels = figure.subplots(1, len(PANELS), width_ratios=widths)
    for panel, (name, shown) in zip(panels, of_panels.items(), strict=True):
        names = [_name(each.about) for each in shown]
        boxes.draw(panel, shown, names, [SHOWN[each.about.method][1] for each in shown])
        panel.set_title(PANELS[name], fontsize=11)
    figure.supxlabel(NOTE, fontsize=9)
    panels[1].axhline(1, color="black", linewidth=0.8, linestyle=":")
    return figure


def _name(about):
    method = SHOWN[about.method][0]
    if about.panel == "b":
        return method
    return f"{method}\n{SPACES[about.space]}{OF_STEPS.get(about.quantity, '')}"
