"""Workflows and their versions. They are read here, and changed in Kubernetes."""

# Annotations are evaluated where they stand: FastAPI reads them, and some name what only a function knows.

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Security
from pydantic import ValidationError

from headgate.api.scalars import SUBDOMAIN_PATTERN
from headgate.api.workflow import WorkflowSpec
from headgate.domain.api_keys import Scope
from headgate.domain.spec_diff import difference
from headgate.engine.versions import VersionContent, Versions
from headgate.gateway.access import Access
from headgate.gateway.callers import Caller
from headgate.gateway.models.base import LARGEST_INTEGER, Namespace, Number, ObjectName, PageQuery
from headgate.gateway.models.workflows import (
    Version,
    VersionDiff,
    VersionList,
    WorkflowItem,
    WorkflowList,
    version_of,
    workflow_of,
)
from headgate.gateway.problems import Problem
from headgate.gateway.routes.paths import WORKSPACE

_NAME = re.compile(SUBDOMAIN_PATTERN)


def workflow_routes(versions: Versions, access: Access) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix=f"{WORKSPACE}/workflows", tags=["workflows"])
    Reader = Annotated[Caller, Security(access.caller, scopes=[Scope.WORKFLOWS_READ])]  # noqa: N806 - a type

    @router.get("", operation_id="listWorkflows")
    async def listed(query: Annotated[PageQuery, Query()], caller: Reader) -> WorkflowList:
        """List the workflows that there are, by namespace and name."""
        after = _names(query.cursor) if query.cursor is not None else ("", "")
        found = await versions.workflows(caller.workspace_id, after, query.limit)
        more = f"{found[-1].namespace}/{found[-1].name}" if len(found) == query.limit else None
        return WorkflowList(items=tuple(workflow_of(item) for item in found), next_cursor=more)

    @router.get("/{namespace}/{name}", operation_id="getWorkflow")
    async def get(namespace: Namespace, name: ObjectName, caller: Reader) -> WorkflowItem:
        """A workflow."""
        found = await versions.workflow(caller.workspace_id, namespace, name)
        if found is None:
            raise _missing()
        return workflow_of(found)

    @router.get("/{namespace}/{name}/versions", operation_id="listVersions")
    async def listed_versions(
        namespace: Namespace, name: ObjectName, query: Annotated[PageQuery, Query()], caller: Reader
    ) -> VersionList:
        """List the versions of a workflow, the newest first. Every accepted spec is one."""
        before = _number(query.cursor) if query.cursor is not None else None
        found = await versions.list(caller.workspace_id, namespace, name, before=before, limit=query.limit)
        if not found and before is None:
            raise _missing()
        more = str(found[-1].number) if len(found) == query.limit else None
        return VersionList(items=tuple(version_of(item) for item in found), next_cursor=more)

    @router.get("/{namespace}/{name}/versions/{number}", operation_id="getVersion")
    async def version(namespace: Namespace, name: ObjectName, number: Number, caller: Reader) -> Version:
        """A version of a workflow with what it says."""
        found = await content(caller, namespace, name, number)
        return Version(**version_of(found.version).model_dump(), spec=dict(found.spec))

    @router.get("/{namespace}/{name}/diff", operation_id="diffVersions")
    async def diff(
        namespace: Namespace,
        name: ObjectName,
        before: Annotated[Number, Query(description="Number of the one version.")],
        after: Annotated[Number, Query(description="Number of the other one.")],
        caller: Reader,
    ) -> VersionDiff:
        """What changed between two versions of a workflow."""
        specs = [_readable(await content(caller, namespace, name, number)) for number in (before, after)]
        names = [f"{namespace}/{name} version {number}" for number in (before, after)]
        return VersionDiff(before=before, after=after, diff=difference(specs[0], specs[1], names[0], names[1]))

    async def content(caller: Caller, namespace: str, name: str, number: int) -> VersionContent:
        found = await versions.content(caller.workspace_id, namespace, name, number)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"the workspace has no such workflow, or it has no version {number}")
        return found

    return router


def _readable(found: VersionContent) -> WorkflowSpec:
    try:
        return WorkflowSpec.model_validate(found.spec)
    except ValidationError:
        detail = f"version {found.version.number} was recorded by another release, which has to compare it"
        raise Problem(HTTPStatus.CONFLICT, detail) from None


def _names(cursor: str) -> tuple[str, str]:
    namespace, _, name = cursor.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise _no_cursor()
    return namespace, name


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal()) or int(cursor) > LARGEST_INTEGER:
        raise _no_cursor()
    return int(cursor)


def _no_cursor() -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the cursor is not one that a list gave")


def _missing() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "the workspace has no such workflow")
