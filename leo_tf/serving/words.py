"""Names of files as text that can be shown, written and printed, whatever bytes they are."""

import unicodedata


def plain(name: str) -> str:
    """Return a name with what is no character, or none that can be seen, as its number."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(map(_seen, text))


def _seen(character):
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character
