"""The version of the project, on a floor that everything may import from."""

__version__ = "0.1.0"
