"""How attempts end, as their Jobs and pods tell it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.cluster.cache import Cache
from headgate.cluster.resources import PODS
from headgate.domain.alone import told
from headgate.domain.amounts import Amount
from headgate.domain.attempt import (
    Running,
    Starting,
    ended_at,
    has_ended,
    judge,
)
from headgate.domain.cost import Footprint
from headgate.domain.task import Outcome
from tests.unit.domain.judged import outcome, verdict
from tests.workload_builders import JobBuilder, PodBuilder, a_job, a_pod, a_script_task

STARTED = datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)


FINISHED = datetime(2026, 3, 1, 12, 0, 9, tzinfo=UTC)


def test_a_job_without_a_pod_is_starting() -> None:
    assert verdict() == Starting(None)


@pytest.mark.parametrize(
    "pod",
    [a_pod(), a_pod().waiting("ContainerCreating"), a_pod().waiting("PodInitializing")],
    ids=["pending", "creating", "initializing"],
)
def test_a_pod_on_its_way_is_starting(pod: PodBuilder) -> None:
    assert verdict(pod) == Starting(None)


def test_an_object_without_status_is_starting() -> None:
    job, pod = a_job().manifest(), a_pod().manifest()
    del job["status"], pod["status"]

    assert judge(job, [pod], "extract") == Starting(None)


def test_a_container_that_runs() -> None:
    assert verdict(a_pod().running()) == Running(STARTED)


@pytest.mark.parametrize(
    "pod", [a_pod().running(), a_pod().succeeded(), a_pod().failed(3)], ids=["running", "succeeded", "failed"]
)
def test_what_its_pod_holds_is_told_of_an_attempt(pod: PodBuilder) -> None:
    admitted = pod.manifest() | {"spec": {"containers": [{"resources": {"requests": {"cpu": "100m"}}}]}}
    # As it comes out of the cache, which leaves most of a pod out.
    cache = Cache()
    cache.upsert(PODS, admitted)
    [key] = cache.keys(PODS)
    judged = judge(a_job().manifest(), [cache.get(key) or {}], "extract")
    held = judged.footprint if isinstance(judged, Running) else judged.outcome.footprint  # type: ignore[union-attr]
    assert held == Footprint(Amount.parse("100m"))


class TestSuccess:
    def test_without_output(self) -> None:
        assert outcome(a_pod().succeeded()) == Outcome(
            succeeded=True, exit_code=0, started_at=STARTED, finished_at=FINISHED
        )

    @pytest.mark.parametrize("text", [" \n", "\n", "\t"])
    def test_white_space_is_no_output(self, text: str) -> None:
        assert outcome(a_pod().succeeded(text)).output is None
        assert outcome(a_pod().succeeded(text)).succeeded

    @pytest.mark.parametrize(
        ("text", "value"),
        [('{"rows": 12}\n', {"rows": 12}), ("[]", []), ("0", 0), ("false", False), ("null", None), ('"ü"', "ü")],
    )
    def test_with_output(self, text: str, value: Any) -> None:
        judged = outcome(a_pod().succeeded(text))

        assert judged.succeeded
        assert judged.output == value

    @pytest.mark.parametrize("text", ["rows: 12", '{"rows": 12', "{} {}", "NaN", "[-Infinity]", "{'rows': 12}"])
    def test_output_that_is_not_json_is_a_failure(self, text: str) -> None:
        judged = outcome(a_pod().succeeded(text))

        assert not judged.succeeded
        assert judged.reason == "InvalidOutput"
        assert "$HEADGATE_OUTPUT is not JSON" in judged.message
        assert judged.finished_at == FINISHED

    @pytest.mark.parametrize("value", [list(range(2_000)), ["ü"] * 2_000], ids=["numbers", "letters"])
    def test_output_of_which_only_the_end_is_kept_is_too_large(self, value: Any) -> None:
        whole = json.dumps({"rows": value}, ensure_ascii=False).encode()

        judged = outcome(a_pod().succeeded(whole[-4096:].decode(errors="replace")))

        assert judged.reason == "InvalidOutput"
        assert "is too large: Kubernetes keeps the last 4096 bytes" in judged.message
        assert "Expecting value" not in judged.message

    def test_as_much_as_is_kept_is_not_too_large(self) -> None:
        assert outcome(a_pod().succeeded('"' + "x" * 4094 + '"')).output == "x" * 4094

    def test_a_short_one_says_what_is_wrong_with_it(self) -> None:
        said = outcome(a_pod().succeeded("{" + " " * 4000)).message

        assert "is not JSON: Expecting property name" in said
        assert "4096" not in said

    @pytest.mark.parametrize("text", ["[" * 4096, "[" * 2048 + "]" * 2048, '{"a":' * 800])
    def test_output_that_is_nested_too_deeply_is_a_failure(self, text: str) -> None:
        assert outcome(a_pod().succeeded(text)).reason == "InvalidOutput"

    def test_the_job_completed_and_its_pod_is_gone(self) -> None:
        judged = outcome(job=a_job().complete())

        assert judged.succeeded
        assert judged.output is None
        assert "gone before its output was read" in judged.message

    def test_the_job_completed_and_its_pod_is_going(self) -> None:
        assert outcome(a_pod().succeeded("7").deleting(), job=a_job().complete()).output == 7

    @given(st.text(max_size=200))
    def test_whatever_is_written_there_is_an_outcome(self, text: str) -> None:
        assert outcome(a_pod().succeeded(text)).reason in ("", "InvalidOutput")


class TestFailure:
    def test_an_exit_code(self) -> None:
        assert outcome(a_pod().failed(3)) == Outcome(
            succeeded=False,
            reason="ExitCode",
            message="exited with code 3",
            exit_code=3,
            started_at=STARTED,
            finished_at=FINISHED,
        )

    def test_with_last_words(self) -> None:
        assert outcome(a_pod().failed(3, said="no such table")).message == "exited with code 3: no such table"

    def test_long_last_words_are_cut(self) -> None:
        message = outcome(a_pod().failed(3, said="x" * 4096)).message

        assert len(message) == 1024
        assert message.endswith("…")

    def test_out_of_memory(self) -> None:
        judged = outcome(a_pod().failed(137, "OOMKilled"))

        assert (judged.reason, judged.message, judged.exit_code) == ("OOMKilled", "OOMKilled", 137)

    def test_a_command_that_cannot_be_started(self) -> None:
        said = 'exec: "extrct": executable file not found in $PATH'

        judged = outcome(a_pod().failed(127, "StartError", said))

        assert (judged.reason, judged.message) == ("StartError", f"StartError: {said}")

    @pytest.mark.parametrize("because", ["Error", "ContainerStatusUnknown"])
    def test_evicted_while_it_ran(self, because: str) -> None:
        lacked = "The node was low on resource: memory."
        died = "The container could not be located when the pod was terminated"

        judged = outcome(a_pod().failed(137, because, died, reason="Evicted", message=lacked))

        assert (judged.reason, judged.message, judged.exit_code) == ("Evicted", f"Evicted: {lacked}", 137)

    def test_evicted_before_it_ran(self) -> None:
        judged = outcome(a_pod().refused("Evicted", "The node had condition: [DiskPressure]."))

        assert (judged.reason, judged.exit_code) == ("Evicted", None)
        assert judged.message == "Evicted: The node had condition: [DiskPressure]."

    def test_refused_by_the_node(self) -> None:
        assert outcome(a_pod().refused("OutOfcpu", "Node didn't have enough resource: cpu")).reason == "OutOfcpu"

    def test_failed_without_a_word(self) -> None:
        assert outcome(a_pod().refused("", "")).reason == "PodFailed"

    def test_a_pod_that_ended_is_believed_before_the_job_controller_sums_it_up(self) -> None:
        assert outcome(a_pod().failed(3), job=a_job()).exit_code == 3
        assert outcome(a_pod().failed(3), job=a_job().failing()).exit_code == 3
        assert outcome(a_pod().failed(3), job=a_job().failed()).exit_code == 3


class TestScripts:
    """Pods in which a script is executed by itself say reason and message of a failure."""

    script = a_job(a_script_task())

    def test_what_the_script_failed_of_is_told_as_a_runner_tells_it(self) -> None:
        said = told("InvalidOutput", "more than 4096 bytes were written to $HEADGATE_OUTPUT")

        ended = outcome(a_pod(self.script).failed(1, said=said), job=self.script)

        assert (ended.succeeded, ended.reason, ended.exit_code) == (False, "InvalidOutput", None)
        assert ended.message == "more than 4096 bytes were written to $HEADGATE_OUTPUT"
        assert (ended.started_at, ended.finished_at) == (STARTED, FINISHED)

    def test_its_exit_code_is_its_own(self) -> None:
        said = told("ExitCode", "exited with code 3: no disk", 3)

        ended = outcome(a_pod(self.script).failed(3, said=said), job=self.script)

        assert (ended.reason, ended.message, ended.exit_code) == ("ExitCode", "exited with code 3: no disk", 3)

    def test_an_end_that_the_kubelet_made_is_the_kubelet_s_to_explain(self) -> None:
        ended = outcome(a_pod(self.script).failed(137, "OOMKilled", told("Other", "x")), job=self.script)

        assert ended.reason == "OOMKilled"

    def test_one_that_could_say_nothing_has_its_code(self) -> None:
        ended = outcome(a_pod(self.script).failed(143), job=self.script)

        assert (ended.reason, ended.message) == ("ExitCode", "exited with code 143")

    def test_another_s_container_that_says_so_has_said_a_text(self) -> None:
        said = told("NeedsMock", "x")

        ended = outcome(a_pod().failed(1, said=said))

        assert (ended.reason, ended.message) == ("ExitCode", f"exited with code 1: {said}")


class TestTimeout:
    @pytest.mark.parametrize(
        "pods", [(), (a_pod().running(),), (a_pod().failed(143).deleting(),), (a_pod().waiting("ErrImagePull"),)]
    )
    @pytest.mark.parametrize("ended", [True, False])
    def test_the_deadline(self, pods: tuple[PodBuilder, ...], *, ended: bool) -> None:
        why = ("DeadlineExceeded", "Job was active longer than specified deadline")
        job = a_job().failed(*why) if ended else a_job().failing(*why)

        assert outcome(*pods, job=job).reason == "Timeout"


class TestDeletedPods:
    def test_a_pod_that_is_being_deleted_is_waited_for(self) -> None:
        assert verdict(a_pod().running().deleting()) == Starting(None)
        assert verdict(a_pod().failed(143).deleting()) == Starting(None)
        assert verdict(a_pod().succeeded().deleting()) == Starting(None)

    @pytest.mark.parametrize("pods", [(), (a_pod().failed(143).deleting(),)], ids=["gone", "going"])
    def test_then_the_job_s_own_verdict_counts(self, pods: tuple[PodBuilder, ...]) -> None:
        judged = outcome(*pods, job=a_job().failed())

        assert judged.reason == "PodLost"
        assert judged.message == "the Job failed: Job has reached the specified backoff limit"
        assert judged.exit_code is None

    def test_even_while_the_pod_hangs_on_a_node_that_is_lost(self) -> None:
        assert outcome(a_pod().running().deleting(), job=a_job().failing()).reason == "PodLost"

    def test_a_job_that_gave_up_may_have_a_pod_whose_end_is_not_known_yet(self) -> None:
        assert verdict(a_pod().running(), job=a_job().failing()) == Running(STARTED)

    def test_the_newest_pod_counts(self) -> None:
        old = a_pod(uid="old").failed(1).created("2026-03-01T12:00:00Z")
        new = a_pod(uid="new").running().created("2026-03-01T12:00:01Z")

        assert verdict(new, old) == verdict(old, new) == Running(STARTED)


@pytest.mark.parametrize("job", [a_job().complete(), a_job().failed()], ids=["complete", "failed"])
def test_a_job_is_over_when_its_controller_has_summed_it_up(job: JobBuilder) -> None:
    assert ended_at(job.manifest()) == FINISHED


@pytest.mark.parametrize("job", [a_job(), a_job().failing()], ids=["under way", "failing"])
def test_and_not_before(job: JobBuilder) -> None:
    assert ended_at(job.manifest()) is None


def test_only_a_pod_that_will_not_run_again_has_ended() -> None:
    assert has_ended(a_pod().succeeded().manifest())
    assert has_ended(a_pod().failed().manifest())
    assert not has_ended(a_pod().running().manifest())
    assert not has_ended(a_pod().manifest())
