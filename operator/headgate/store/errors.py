"""How the store fails."""

from __future__ import annotations


class DatabaseUnavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Postgres could not be reached, or gave up on the transaction: nothing of it was kept. Try again later.

    Where the connection broke during a commit the transaction may have been kept, which is why every use case may be
    repeated. The message names no host, login or value.
    """


class Contended(DatabaseUnavailable):
    """Postgres is there, and gave up on the transaction for what others did at the same time."""


class RunHeld(DatabaseUnavailable):
    """Another transaction holds the run, and nobody was to wait for it."""


class DatabaseAbsent(DatabaseUnavailable):
    """No database was configured: there is nothing recorded, and waiting will not help."""


class DatabaseNotMigrated(DatabaseUnavailable):
    """The tables are not there, or the login was not given the roles: ``headgate migrate`` has to run first."""


class StatementRefused(Exception):  # noqa: N818 - what Postgres said, not what we did
    """Postgres refused a statement: a defect of Headgate. The message quotes no value of a row."""


class RunFrozen(StatementRefused):
    """The run is being moved to the archive, and is not changed any more."""


class PartitionMissing(Exception):  # noqa: N818 - a state of the world, not a mistake
    """There is no partition for the month of a new row yet."""
