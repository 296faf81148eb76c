"""Names in pictures: any text is drawn as it is written."""

import matplotlib.figure
import pytest

from leo_tf.reports.lettering import plain


@pytest.mark.parametrize("name", ["$x_{", "$$", "a $ b", "_private", "50 %", r"C:\new", "猫"])
def test_any_name_is_drawn_and_shown_in_the_legend(name):
    figure = matplotlib.figure.Figure()
    axes = figure.add_subplot()
    axes.plot([0], [1], label=plain(name))
    axes.set_title(plain(name))
    (shown,) = axes.legend().get_texts()
    figure.canvas.draw()
    assert shown.get_text().replace(r"\$", "$").strip() == name
    assert axes.title.get_text() == shown.get_text()
