"""Figures of finished runs, a file each: `draw(folder, path, seed)` of figure_<number>.py."""

FIGURES = {"2": "sines_and_lines"}  # number in the paper: the data set whose runs it shows
