"""Packages that only a part of the project needs."""


def how_to_get(extra: str) -> str:
    """Return the commands that install an extra, for a message: of the package, and in a clone."""
    return f'pip install "leo-tf[{extra}]", or in a clone: pip install -e ".[{extra}]"'
