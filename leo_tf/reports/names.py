"""What people call the rows of a study."""

from leo_tf.config.methods import METHODS
from leo_tf.studies.plan import PRESET, method_of


def title(name: str) -> str:
    """Name a row for people."""
    of_method = METHODS[method_of(name)].title
    return f"{of_method}, its full preset" if name.endswith(PRESET) else of_method
