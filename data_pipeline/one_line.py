"""What an error or the name of a file says, in a line, whatever a file or a library put into it."""

import unicodedata

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


def plain(name: str) -> str:
    """Return a name with what is no character, or none that can be seen, as its number.

    Names of files are any bytes: line ends, what steers a terminal, and what is no UTF-8.
    """
    return "".join(map(_seen, name))


def _seen(character):
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte
        return rf"\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character
