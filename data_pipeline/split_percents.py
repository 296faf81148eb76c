"""How many of a data set's classes each split gets: "64/16/20"."""


def parse(text: str) -> tuple[int, int, int]:
    """Return the percents of train, val and test.

    Raises:
      ValueError: one line, unless they are three whole numbers that make 100, of which only the
        second may be 0.
    """
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise ValueError(f"split must be percents of train/val/test, 64/16/20, not {text!r}")
    train, val, test = map(int, parts)
    if train + val + test != 100 or not train or not test:
        raise ValueError(
            f"split must make 100 with classes for train and test, as 64/16/20 does, not {text!r}"
        )
    return train, val, test
