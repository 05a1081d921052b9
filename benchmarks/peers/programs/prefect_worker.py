"""A worker of Prefect's that runs background tasks in its own process, as many at once as there are clients."""

from __future__ import annotations

import sys

from prefect.task_worker import serve

from benchmarks.peers.programs.prefect_steps import call, many

serve(call, many, limit=int(sys.argv[1]))
