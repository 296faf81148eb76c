"""What an error says, in a line of bounded length, whatever a file or a library put into it."""

MOST = 200  # characters of what others wrote


def one_line(said: object, most: int = MOST) -> str:
    """Return a text, or what an error says, in one line; an error without words by its class.

    Args:
      said: a text, or an error.
      most: characters; what is longer ends in "...".
    """
    try:
        text = " ".join(str(said).split())
    except (RecursionError, ValueError):  # of numbers that are too long, of nested objects
        text = ""
    text = text or type(said).__name__
    return text if len(text) <= most else text[:most] + "..."
