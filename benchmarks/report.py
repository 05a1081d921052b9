"""Printing a figure beside its goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One measured number and what it is to reach."""

    what: str
    value: float
    unit: str
    goal: float
    better: Literal["higher", "lower"]

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def line(self) -> str:
        """The figure for people."""
        sign = ">=" if self.better == "higher" else "<="
        verdict = "reached" if self.reached else "NOT reached"
        return f"{self.what}: {self.value:.4g} {self.unit} (goal {sign} {self.goal:g} {self.unit}: {verdict})"


def show(figures: list[Figure], command: str) -> None:
    """Print figures and how to repeat them."""
    for figure in figures:
        print(figure.line())
    print(f"repeat with: {command}")
