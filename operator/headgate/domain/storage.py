"""How much more a workspace may keep, and what is said of what does not fit. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

LIMIT = "StorageLimit"
"""Reason of what is not kept, as it does not fit into what the workspace may keep."""


@dataclass(frozen=True)
class StorageLeft:
    """What is left of ``maxStorageMB``."""

    bytes: int
    """Less than nothing where the limit was lowered below what is kept."""
    limit_mb: int
    pot: str | None = None
    """The Quota, where its Workspaces have it together."""

    def fits(self, more: int) -> bool:
        """Whether there is room for that many bytes more. For what becomes less there always is."""
        return more <= 0 or more <= self.bytes

    def after(self, more: int) -> StorageLeft:
        """What is left once these are kept."""
        return replace(self, bytes=self.bytes - more)

    def refusal(self, what: str, more: int) -> str:
        """Why ``what`` is not kept, and what to do about it, in words for the workflow's author."""
        whose = f"Quota {self.pot}, which its Workspaces have together," if self.pot is not None else "the Quota"
        return (
            f"{what} takes {more} bytes, and {max(self.bytes, 0)} are left of the {self.limit_mb} MB that maxStorageMB "
            f"of {whose} allows: write less, raise the limit, or have runs archived sooner (spec.retention)"
        )
