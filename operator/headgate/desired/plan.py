"""What has to be written so that the live children are the desired ones: decided here, done elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from headgate.api.workspace import ADOPT_ANNOTATION
from headgate.desired.differences import apply_is_due, foreign_fields
from headgate.desired.keys import NAMESPACE, ChildKind, ObjectKey, child_kind, key_of
from headgate.desired.manifest import Manifest, owner_of
from headgate.desired.namespace import as_adopted, consents
from headgate.domain.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LiveObject: TypeAlias = "Mapping[str, Any]"
"""An object as the API server returned it; ``metadata.managedFields`` may be left out. Never changed here."""


@dataclass(frozen=True)
class Deletion:
    """An object to delete, and only that very one: give the uid as a precondition."""

    key: ObjectKey
    uid: str


@dataclass(frozen=True)
class Replacement:
    """An object to delete and make anew, because what differs cannot be changed."""

    deletion: Deletion
    manifest: Manifest


@dataclass(frozen=True)
class MergePatch:
    """A JSON merge patch (RFC 7386) that takes away what others put where nothing but ours may be."""

    key: ObjectKey
    patch: Mapping[str, Any]


@dataclass(frozen=True)
class Conflict:
    """A namespace that exists and is not the workspace's."""

    namespace: str
    reason: Reason
    message: str


@dataclass(frozen=True)
class Plan:
    """What has to be written, to be done in the order of the fields. Empty means that nothing differs."""

    create: tuple[Manifest, ...] = ()
    """Namespaces to create with POST. "AlreadyExists" means that someone else was faster: look and plan again.

    Server-side apply would take such a namespace over.
    """
    add: tuple[Manifest, ...] = ()
    """Objects that are not there, to create with POST, in the order of the desired ones. "AlreadyExists": apply it.

    Only of kinds with sections that are Headgate's alone: server-side apply never takes away what a POST put elsewhere.
    """
    apply: tuple[Manifest, ...] = ()
    """Objects to apply server-side with force, in the order of the desired ones."""
    replace: tuple[Replacement, ...] = ()
    """Objects to delete and apply again."""
    extras: tuple[MergePatch, ...] = ()
    """Merge patches, after the applies: server-side apply leaves alone what others added."""
    prune: tuple[Deletion, ...] = ()
    """Objects that are ours and no longer wanted; never a Namespace."""
    conflicts: tuple[Conflict, ...] = ()
    """Namespaces of others. Nothing is planned in them."""
    terminating: tuple[str, ...] = ()
    """Names of namespaces that are being deleted. Nothing is planned in them."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return self.writes == 0

    @property
    def writes(self) -> int:
        """How many requests carrying it out takes."""
        new = len(self.create) + len(self.add)
        return new + len(self.apply) + 2 * len(self.replace) + len(self.extras) + len(self.prune)


@dataclass(frozen=True)
class Claims:
    """Namespaces that a workspace may write into although they are not labelled as its own."""

    adoptable: frozenset[str] = frozenset()
    """Names of those to be taken over where they exist, belong to nobody and consent."""
    known: frozenset[str] = frozenset()
    """Uids of those that were its own, and whose labels somebody took away."""


NO_CLAIMS = Claims()


def plan(desired: Iterable[Manifest], live: Mapping[ObjectKey, LiveObject], claims: Claims = NO_CLAIMS) -> Plan:
    """What to write so that the workspace's children are as desired.

    ``desired`` are all children of one workspace, its Namespaces among them; with none, nothing is planned. ``live``
    holds at least every object with the labels of that workspace, and what is known under the keys of the desired
    objects; objects of others do no harm, but cost time. Raises ValueError where desired objects are of several
    workspaces, or in a namespace that is not among them.
    """
    wanted = {key_of(manifest): manifest for manifest in desired}
    workspace = _workspace_of(wanted)
    names = [key.name for key in wanted if _is_namespace(key)]
    conflicts = tuple(
        conflict
        for name in names
        if (conflict := _conflict(name, live.get(NAMESPACE.key(name)), workspace, claims)) is not None
    )
    contested = {conflict.namespace for conflict in conflicts}
    terminating = tuple(name for name in names if name not in contested and _is_going(live.get(NAMESPACE.key(name))))
    closed = contested | set(terminating)
    open_namespaces = {name for name in names if name not in closed}
    steps = [
        _step(key, manifest, live.get(key), claims) for key, manifest in wanted.items() if _place(key) not in closed
    ]
    return Plan(
        create=tuple(manifest for step in steps for manifest in step.create),
        add=tuple(manifest for step in steps for manifest in step.add),
        apply=tuple(manifest for step in steps for manifest in step.apply),
        replace=tuple(replacement for step in steps for replacement in step.replace),
        extras=tuple(patch for step in steps for patch in step.extras),
        prune=_prune(wanted, live, workspace, open_namespaces),
        conflicts=conflicts,
        terminating=terminating,
    )


def _workspace_of(wanted: Mapping[ObjectKey, Manifest]) -> str | None:
    owners = {owner_of(manifest) for manifest in wanted.values()}
    if len(owners) > 1 or (owners and None in owners):
        raise ValueError(f"desired objects must be children of one workspace, not of {sorted(map(str, owners))}")
    places = {key.namespace for key in wanted if key.namespace}
    namespaces = {key.name for key in wanted if _is_namespace(key)}
    if not places <= namespaces:
        raise ValueError(f"desired objects in namespaces that are not desired: {sorted(places - namespaces)}")
    return next(iter(owners), None)


def _step(key: ObjectKey, manifest: Manifest, live: LiveObject | None, claims: Claims) -> Plan:
    kind = _kind_of(key)
    if kind is NAMESPACE and live is not None and owner_of(live) is None and not _is_known(live, claims):
        return Plan(apply=(as_adopted(manifest),))
    if live is None:
        return _new(manifest, kind)
    if any(section in live and live[section] != manifest.get(section) for section in kind.immutable):
        return Plan(replace=(Replacement(_deletion(key, live), manifest),))
    due = apply_is_due(live, manifest, kind)
    foreign = foreign_fields(live, manifest, kind)
    return Plan(apply=(manifest,) if due else (), extras=(MergePatch(key, foreign),) if foreign else ())


def _new(manifest: Manifest, kind: ChildKind) -> Plan:
    if kind is NAMESPACE:
        return Plan(create=(manifest,))
    return Plan(add=(manifest,)) if kind.exclusive else Plan(apply=(manifest,))


def _is_known(live: LiveObject, claims: Claims) -> bool:
    return live["metadata"].get("uid") in claims.known


def _conflict(name: str, live: LiveObject | None, workspace: str | None, claims: Claims) -> Conflict | None:
    if live is None or workspace is None:
        return None
    owner = owner_of(live)
    if owner == workspace or (owner is None and _is_known(live, claims)):
        return None
    if owner is not None:
        return Conflict(
            name,
            Reason.NAMESPACE_CONFLICT,
            f"Namespace {name} belongs to Workspace {owner}: choose another name.",
        )
    if name not in claims.adoptable:
        return Conflict(
            name,
            Reason.NAMESPACE_NOT_OWNED,
            f"Namespace {name} exists and belongs to no Workspace: choose another name, delete it, or adopt it.",
        )
    if not consents(live, workspace):
        return Conflict(
            name,
            Reason.NAMESPACE_NOT_CONSENTING,
            f"Namespace {name} does not consent to be adopted: kubectl annotate namespace {name} "
            f"{ADOPT_ANNOTATION}={workspace}",
        )
    return None


def _prune(
    wanted: Mapping[ObjectKey, Manifest],
    live: Mapping[ObjectKey, LiveObject],
    workspace: str | None,
    namespaces: set[str],
) -> tuple[Deletion, ...]:
    return tuple(
        _deletion(key, item)
        for key, item in sorted(live.items(), key=lambda entry: entry[0])
        if key not in wanted
        and not _is_namespace(key)
        and (not key.namespace or key.namespace in namespaces)
        and child_kind(key.group, key.kind) is not None
        and owner_of(item) == workspace
        and not _is_going(item)
    )


def _kind_of(key: ObjectKey) -> ChildKind:
    kind = child_kind(key.group, key.kind)
    if kind is None:
        raise ValueError(f"{key} is of a kind of which Workspaces have no children")
    return kind


def _is_namespace(key: ObjectKey) -> bool:
    return (key.group, key.kind) == (NAMESPACE.group, NAMESPACE.kind)


def _place(key: ObjectKey) -> str:
    return key.name if _is_namespace(key) else key.namespace


def _is_going(live: LiveObject | None) -> bool:
    return live is not None and live["metadata"].get("deletionTimestamp") is not None


def _deletion(key: ObjectKey, live: LiveObject) -> Deletion:
    return Deletion(key, live["metadata"].get("uid", ""))
