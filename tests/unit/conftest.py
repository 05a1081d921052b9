"""How properties are tried: without a time limit per example, as a busy machine proves nothing wrong."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")
