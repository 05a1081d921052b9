"""What makes two specs the same version."""

from __future__ import annotations

from headgate.engine.definitions.definition import content_of
from tests.builders import a_workflow


def test_the_hash_of_a_spec_stays_the_same_from_release_to_release() -> None:
    """A release that changes it makes a new version of every workflow of every tenant."""
    content_hash, _ = content_of(a_workflow().with_node("work", retry={"limit": 2}).model().spec)
    assert content_hash == "568c3395484bebd034e5c883c6312e51decb96fae2be6691369c356a959e12b9"


def test_what_is_stored_spells_out_defaults_as_they_may_change() -> None:
    _, stored = content_of(a_workflow().with_node("work").model().spec)
    assert '"runAsUser": 65532' in stored


def test_being_suspended_is_no_content() -> None:
    workflow = a_workflow().with_node("work")
    assert content_of(workflow.with_spec(suspend=True).model().spec) == content_of(workflow.model().spec)
