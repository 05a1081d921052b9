"""What unit tests share: how properties are tried, and the chart as it is rendered most of the time."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.charts import WITH_DATABASE, Rendered, render

# A busy machine proves nothing wrong: examples may take their time.
settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")


@pytest.fixture(scope="session")
def chart() -> Rendered:
    """The chart with nothing but its defaults."""
    return render()


@pytest.fixture(scope="session")
def database_chart() -> Rendered:
    """The chart with a database, and so with a gateway."""
    return render(WITH_DATABASE)
