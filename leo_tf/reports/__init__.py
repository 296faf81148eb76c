"""Figures of finished runs, a file each: `draw(folder, path, seed)` of figure_<number>.py."""

FIGURES = {"2": "regression"}  # number in the paper: the experiment whose runs it shows
