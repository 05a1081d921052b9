"""Jobs in the cluster: creating the Job of an attempt, ending it, and letting that of a runner go."""

from __future__ import annotations

from headgate.api.builtin import Script
from headgate.api.workspace import Workspace, WorkspaceSpec
from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import JOBS, PODS, WORKSPACES
from headgate.desired.job import JOB_NAME_LABEL, job, task_of
from headgate.desired.keys import ObjectKey
from headgate.desired.manifest import Manifest
from headgate.desired.placement import ASKS_NOTHING
from headgate.desired.runner_pod import RunnerPods
from headgate.desired.script_job import script_job
from headgate.domain.task import JobTask, TaskRef, Waiting
from headgate.reconcile.parsing import InvalidResource, parse


class ForeignJob(Exception):  # noqa: N818 - reads as what it says
    """A Job of the attempt's name exists and is not of this attempt."""


class NoRunners(Exception):  # noqa: N818 - reads as what it says
    """A script is to be executed, and nothing says in which image."""


class Workloads:
    """The Jobs of attempts."""

    def __init__(self, kube: KubeClient, cache: Cache, *, ttl_seconds: int, runners: RunnerPods | None = None) -> None:
        """``runners`` says what pods of scripts are made of; without it there are none."""
        self._kube = kube
        self._cache = cache
        self._ttl_seconds = ttl_seconds
        self._runners = runners
        self._specs: dict[str, tuple[int | None, WorkspaceSpec]] = {}

    async def ensure(self, task: JobTask) -> str:
        """Create the attempt's Job, or find it where an earlier try made it. Returns its uid.

        Raises ``ForeignJob`` where the name is taken, ``NoRunners`` for a script that cannot be executed, and
        ``ApiError`` for what the API server refuses.
        """
        created = await make_job(self._kube, task, self.spec_of(task.workspace), self._runners)
        self._cache.upsert(JOBS, created)
        return str(created["metadata"]["uid"])

    def spec_of(self, name: str) -> WorkspaceSpec:
        """What the Workspace says, read anew only where it changed."""
        key = WORKSPACES.key(name)
        version = self._cache.version(key)
        known = self._specs.get(name)
        if known is not None and known[0] == version:
            return known[1]
        live = self._cache.get(key)
        if live is None:
            # What was last known of it holds for runs that outlive it; admission policies have the last word.
            return known[1] if known is not None else ASKS_NOTHING
        try:
            spec = parse(Workspace, live).spec
        except InvalidResource:
            return known[1] if known is not None else ASKS_NOTHING
        self._specs[name] = (version, spec)
        return spec

    def of(self, ref: TaskRef) -> tuple[ObjectKey, ...]:
        """The attempt's Job, where there is one."""
        return tuple(key for key, live in self._cache.jobs_of(str(ref.run_id)) if attempt_of(live) == ref)

    async def end(self, ref: TaskRef, *, leaving_nothing: bool = False) -> None:
        """Delete the attempt's Job and, through it, its pod. Nothing happens where there is none.

        With ``leaving_nothing`` the Job is gone only after its pod has taken the time that it may take to end.
        """
        for key, live in self._cache.jobs_of(str(ref.run_id)):
            if attempt_of(live) == ref and not live["metadata"].get("deletionTimestamp"):
                await self.delete(key, live["metadata"]["uid"], foreground=leaving_nothing)

    async def give_time_to_live(self, key: ObjectKey, live: Object) -> None:
        """Have Kubernetes delete a runner's Job after that time, which also says that all its logs are kept."""
        if has_time_to_live(live) or live["metadata"].get("deletionTimestamp"):
            return
        try:
            patch = {"spec": {"ttlSecondsAfterFinished": self._ttl_seconds}}
            self._cache.upsert(JOBS, await self._kube.merge_patch(JOBS, key.name, key.namespace, patch))
        except ApiError as error:
            if not error.is_not_found:
                raise

    async def pods(self, key: ObjectKey) -> tuple[Object, ...]:
        """The Job's pods, asked of the API server: for when the cache has not seen them yet."""
        labels = f"{JOB_NAME_LABEL}={key.name}"
        return tuple(
            [
                item
                async for page in self._kube.list_pages(PODS, namespace=key.namespace, labels=labels)
                for item in page["items"]
            ]
        )

    async def delete(self, key: ObjectKey, uid: str, *, foreground: bool = False) -> None:
        """Delete that very Job and, through it, its pods; with ``foreground`` the pods first."""
        try:
            await self._kube.delete(JOBS, key.name, key.namespace, uid=uid, foreground=foreground)
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                raise


async def make_job(
    kube: KubeClient, task: JobTask, workspace: WorkspaceSpec, runners: RunnerPods | None = None
) -> Object:
    """The attempt's Job: created, or found where an earlier try made it. Raises as ``Workloads.ensure``."""
    manifest = _manifest(task, workspace, runners)
    try:
        return await kube.create(JOBS, manifest)
    except ApiError as error:
        if not error.is_already_exists:
            raise
        found = await kube.get(JOBS, manifest["metadata"]["name"], task.namespace)
        if attempt_of(found) != task.ref:
            raise ForeignJob(f"Job {manifest['metadata']['name']} exists and is not of this run; delete it") from None
        return found


def _manifest(task: JobTask, workspace: WorkspaceSpec, runners: RunnerPods | None) -> Manifest:
    if not isinstance(task.does, Script):
        return job(task, workspace)
    if runners is None:
        raise NoRunners(f"node {task.ref.node} runs a script")
    return script_job(task, task.does, runners, workspace)


def attempt_of(live: Object) -> TaskRef | None:
    """The attempt that a live Job is of."""
    metadata = live["metadata"]
    return task_of(metadata.get("labels") or {}, metadata.get("annotations") or {})


def has_time_to_live(live: Object) -> bool:
    """Whether Kubernetes deletes the Job when its time is over: a runner's, or one that an earlier release let go."""
    return "ttlSecondsAfterFinished" in (live.get("spec") or {})


def refusal(error: ApiError) -> Waiting:
    """What an attempt waits for whose Job the API server refuses for now."""
    reason = "ComputeQuota" if "exceeded quota" in error.message else "JobRefused"
    return Waiting(reason, error.message[:1024])
