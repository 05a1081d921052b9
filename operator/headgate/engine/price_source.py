"""Where a process' price table comes from."""

from __future__ import annotations

from pathlib import Path

from headgate.domain.prices import PricesInvalid, PriceTable, parse_prices


def price_table(file: str | None) -> PriceTable | None:
    """The price table of a file; None where none is named. See ``parse_prices`` for the form.

    Raises ``PricesInvalid``, also where the file cannot be read.
    """
    if not file:
        return None
    try:
        return parse_prices(Path(file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PricesInvalid(f"the file of the price table cannot be read: {type(error).__name__}") from None
