"""JSON from files that anybody may have written."""

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    """Return what a JSON text holds.

    Raises:
      ValueError: it is none, is no UTF-8, or is nested without end.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
