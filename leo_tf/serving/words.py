"""Words for people: numbers of things."""


def counted(count: int, noun: str) -> str:
    """Return "1 query", "2 queries"."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
