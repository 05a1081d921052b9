"""Labels of runs: what Kubernetes takes for one, fewer of them, and none that is Headgate's own."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_LABELS = 32
"""Labels of a run at most."""
LABELS_BYTES = 4096
"""Bytes of all keys and values of a run's labels at most."""
RESERVED = "headgate.dev/"
"""What Headgate's own labels begin with."""
_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_KEY = rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_PART}"
"""The form of a key: a name, which a domain and a slash may come before."""
LABEL_VALUE = rf"({_PART})?"
"""The form of a value, which may be empty."""
_KEY, _VALUE = re.compile(LABEL_KEY), re.compile(LABEL_VALUE)


class LabelsInvalid(ValueError):  # noqa: N818 - what is wrong with what was handed in
    """Labels that a run cannot have; the message says what to change."""


def given_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Those of an object's labels that people gave it."""
    return {key: value for key, value in labels.items() if not key.startswith(RESERVED)}


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise ``LabelsInvalid`` unless a run may have these labels."""
    if len(labels) > MOST_LABELS:
        raise LabelsInvalid(f"a run has {MOST_LABELS} labels at most, not {len(labels)}: leave some out")
    for key, value in labels.items():
        if not _KEY.fullmatch(key):
            raise LabelsInvalid(
                "a label's key has up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends; a "
                "domain in lower case and '/' may come before it"
            )
        if key.startswith(RESERVED):
            raise LabelsInvalid(f"labels that begin with {RESERVED} are Headgate's own: take another name")
        if not _VALUE.fullmatch(value):
            raise LabelsInvalid(
                f"the value of label {key} has up to 63 letters, digits, '-', '_' and '.', with a letter or digit at "
                "both ends"
            )
    size = sum(len(key) + len(value) for key, value in labels.items())
    if size > LABELS_BYTES:
        raise LabelsInvalid(f"the labels of a run have {LABELS_BYTES} bytes at most, not {size}: shorten them")
