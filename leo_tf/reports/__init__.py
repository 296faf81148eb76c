"""Figures of finished runs, a file each: `draw(asked)` of figure_<number>.py, see `asked`."""
