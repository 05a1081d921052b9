from __future__ import annotations

from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS, WORKFLOW_RUNS
from headgate.reconcile.keys import Key, Topic
from headgate.reconcile.sweep import Sweep
from tests.builders import a_run


def a_job(name: str, **spec: int) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "acme", "uid": name, "resourceVersion": "1"}, "spec": spec}


def test_what_is_over_is_not_looked_at_and_jobs_are_before_runs() -> None:
    cache, keys = Cache(), list[Key]()
    for job in (a_job("runs"), a_job("has-time-to-live", ttlSecondsAfterFinished=60)):
        cache.upsert(JOBS, job)
    ended = {"phase": "Succeeded", "observedGeneration": 1}
    for name, status in (("open", {}), ("ended", ended)):
        run = a_run(name, "acme", "nightly").with_metadata(uid=name, resourceVersion="1", generation=1)
        cache.upsert(WORKFLOW_RUNS, {**run.manifest(), "status": status})

    Sweep(cache, keys.append).all()

    assert keys == [Key(Topic.JOB, "runs", "acme"), Key(Topic.RUN, "open", "acme")]
