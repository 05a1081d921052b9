"""What all tables share."""

from __future__ import annotations

from sqlalchemy import DateTime, MetaData

SCHEMA = "headgate"
metadata = MetaData(schema=SCHEMA)
Time = DateTime(timezone=True)
