"""Words for people: names of files, whatever bytes they are, and numbers of things."""

import unicodedata


def plain(name: str) -> str:
    """Return a name with what is no character, or none that can be seen, as its number."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(map(_seen, text))


def _seen(character):
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character


def counted(count: int, noun: str) -> str:
    """Return "1 query", "2 queries"."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
