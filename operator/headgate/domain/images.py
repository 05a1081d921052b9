"""What the expressions in a container's image gave."""

from __future__ import annotations

import re

from headgate.api.container import IMAGE

MOST_CHARACTERS = 512
_SHOWN_CHARACTERS = 200
_FORM = re.compile(IMAGE)


def problem(image: str) -> str | None:
    """What is wrong with an image in which expressions were replaced; None where it is one.

    Whether its registry is allowed is not asked here: the API server judges the Job that is made of it.
    """
    if len(image) <= MOST_CHARACTERS and _FORM.fullmatch(image):
        return None
    shown = image if len(image) <= _SHOWN_CHARACTERS else image[:_SHOWN_CHARACTERS] + "..."
    return f"its image became {shown!r}, which is no reference to an image of at most {MOST_CHARACTERS} characters"
