"""Names of people's own in pictures: shown as they are written."""


def plain(name: str) -> str:
    """Return a name as Matplotlib has to be given it.

    It would set what is between two dollar signs as a formula, or fail, and leave what begins with
    an underscore out of a legend.
    """
    text = name.replace("$", r"\$")
    return f"\u200a{text}" if text.startswith("_") else text
