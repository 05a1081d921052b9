"""What attempts wait for, as their pods and the events about them tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.domain.attempt import (
    Starting,
    explain,
    judge,
    slow_start,
    trouble_of,
)
from headgate.domain.task import Waiting
from tests.unit.domain.judged import waiting
from tests.workload_builders import PodBuilder, a_job, a_pod, a_warning


class TestWaiting:
    @pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
    def test_for_its_image(self, reason: str) -> None:
        message = 'Back-off pulling image "registry.example.com/tools/task:1.0"'

        assert waiting(a_pod().waiting(reason, message)) == Waiting("ImagePull", message, "extract")

    def test_without_a_message_the_reason_has_to_do(self) -> None:
        assert waiting(a_pod().waiting("ErrImagePull")) == Waiting("ImagePull", "ErrImagePull", "extract")

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            ('secret "database" not found', "MissingSecret"),
            ("couldn't find key password in Secret acme/database", "MissingSecret"),
            ('configmap "queries" not found', "MissingConfigMap"),
            ("couldn't find key report.sql in ConfigMap acme/queries", "MissingConfigMap"),
            ("container has runAsNonRoot and image will run as root", "CreateContainerConfigError"),
        ],
    )
    def test_for_what_it_refers_to(self, message: str, reason: str) -> None:
        assert waiting(a_pod().waiting("CreateContainerConfigError", message)) == Waiting(reason, message, "extract")

    def test_for_a_node(self) -> None:
        message = "0/3 nodes are available: 3 Insufficient memory."

        assert waiting(a_pod().unschedulable(message)) == Waiting("Unschedulable", message, "extract")

    def test_for_whoever_put_a_gate_before_its_scheduling(self) -> None:
        pod = a_pod().manifest()
        gate = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated"}
        pod["status"]["conditions"] = [gate]

        assert judge(a_job().manifest(), [pod], "extract") == Starting(Waiting("SchedulingGated", "gated", "extract"))

    def test_long_messages_are_cut(self) -> None:
        found = waiting(a_pod().waiting("ErrImagePull", "x" * 5_000))

        assert found is not None
        assert len(found.message) == 1024

    def test_of_another_container_is_not_ours(self) -> None:
        pod = a_pod().waiting("ErrImagePull").manifest()
        pod["status"]["containerStatuses"][0]["name"] = "mesh"

        assert judge(a_job().manifest(), [pod], "extract") == Starting(None)


def said(*events: Mapping[str, Any], pods: tuple[PodBuilder, ...] = ()) -> Waiting | None:
    """What is in the way of an attempt with these pods, after these events."""
    troubles = [trouble for event in events if (trouble := trouble_of(event)) is not None]
    return explain(troubles, [pod.manifest() for pod in pods], "extract")


class TestSlowStart:
    """The pod has its sandbox since 12:00:00, and its container does not run."""

    NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def slow(self, pod: PodBuilder, seconds: float) -> Waiting | timedelta | None:
        return slow_start([pod.manifest()], "extract", self.NOON + timedelta(seconds=seconds))

    def test_names_the_image_once_it_takes_long(self) -> None:
        pod = a_pod().waiting("ContainerCreating").ready_to_start()

        message = "the node pulls registry.example.com/tools/task:1.0, or makes the container, since 12:00:00 UTC"
        assert self.slow(pod, 3) == Waiting("ContainerCreating", message, "extract")

    def test_says_before_when_it_will(self) -> None:
        assert self.slow(a_pod().waiting("ContainerCreating").ready_to_start(), 2) == timedelta(seconds=1)

    def test_is_none_of_a_pod_that_lacks_something_else(self) -> None:
        assert self.slow(a_pod().scheduled(), 60) is None

    def test_is_none_of_a_pod_that_is_being_deleted(self) -> None:
        assert self.slow(a_pod().waiting("ContainerCreating").ready_to_start().deleting(), 60) is None


class TestEvents:
    @pytest.mark.parametrize(
        ("kind", "message", "reason"),
        [
            ("FailedCreate", 'pods "x" is forbidden: exceeded quota: compute, requested: cpu=4', "ComputeQuota"),
            ("FailedCreate", 'pods "x" is forbidden: violates PodSecurity', "PodRefused"),
            (
                "FailedMount",
                'MountVolume.SetUp failed for volume "mount-0" : secret "database" not found',
                "MissingSecret",
            ),
            (
                "FailedMount",
                'MountVolume.SetUp failed for volume "mount-0" : configmap "q" not found',
                "MissingConfigMap",
            ),
            ("FailedMount", "references non-existent secret key: password", "MissingSecret"),
            ("FailedMount", "timed out waiting for the condition", "Mount"),
            ("FailedCreatePodSandBox", "failed to set up sandbox", "Sandbox"),
            ("FailedScheduling", "0/1 nodes are available", "Unschedulable"),
        ],
    )
    def test_say_what_is_in_the_way(self, kind: str, message: str, reason: str) -> None:
        assert said(a_warning(kind, message)) == Waiting(reason, message, "extract")

    def test_none_and_others_say_nothing(self) -> None:
        assert said() is None
        assert said(a_warning("Killing"), a_warning("Scheduled")) is None

    def test_the_newest_counts(self) -> None:
        old = a_warning("FailedMount", "old", "2026-03-01T12:00:05Z")
        new = a_warning("FailedMount", "new", "2026-03-01T12:00:06Z")

        for events in ([old, new], [new, old]):
            assert (said(*events) or Waiting("")).message == "new"

    def test_by_whatever_time_it_has(self) -> None:
        old = a_warning("FailedMount", "old")
        without = {"reason": "FailedMount", "message": "no time"}
        series = {"count": 4, "lastObservedTime": "2026-03-01T12:00:07.000001Z"}
        new = {"reason": "FailedMount", "message": "new", "eventTime": "2026-03-01T12:00:01.5Z", "series": series}

        assert (said(without, old) or Waiting("")).message == "old"
        assert (said(new, old) or Waiting("")).message == "new"

    @pytest.mark.parametrize(
        ("trouble", "pod"),
        [
            ("FailedCreate", a_pod()),
            ("FailedScheduling", a_pod().scheduled()),
            ("FailedMount", a_pod().scheduled().ready_to_start()),
            ("FailedCreatePodSandBox", a_pod().scheduled().ready_to_start()),
        ],
    )
    def test_what_has_been_overcome_is_in_the_way_no_more(self, trouble: str, pod: PodBuilder) -> None:
        assert said(a_warning(trouble), pods=(pod,)) is None

    @pytest.mark.parametrize(("trouble", "pod"), [("FailedScheduling", a_pod()), ("FailedMount", a_pod().scheduled())])
    def test_what_has_not_still_is(self, trouble: str, pod: PodBuilder) -> None:
        assert said(a_warning(trouble), pods=(pod,)) is not None
