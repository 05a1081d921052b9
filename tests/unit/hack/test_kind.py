"""What reaches kind: a program in its place writes down how it was called."""

from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster.kind import KindCluster

_PROGRAM = """#!/bin/sh
echo "$(basename $0) $*" >> {calls}
case "$1 $2" in
"get clusters") cat {clusters} ;;
"create cluster") echo headgate > {clusters}; echo '{{"clusters": [{{"name": "k", "cluster": {{"server": "https://192.0.2.1"}}}}],
    "users": [{{"name": "u", "user": {{}}}}], "contexts": [{{"name": "c", "context": {{"cluster": "k", "user": "u"}}}}],
    "current-context": "c"}}' > {kubeconfig} ;;
"delete cluster") : > {clusters} ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ``kind`` and ``docker`` write down how they were called."""
    calls, clusters = tmp_path / "calls", tmp_path / "clusters"
    calls.touch()
    clusters.touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kind", "docker"):
        program = programs / name
        kubeconfig = tmp_path / "state" / "kubeconfig"
        program.write_text(_PROGRAM.format(calls=calls, clusters=clusters, kubeconfig=kubeconfig))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return calls


def test_it_is_created_with_our_configuration_and_a_kubeconfig_of_its_own(tmp_path: Path, calls: Path) -> None:
    cluster = KindCluster("headgate", tmp_path / "state")

    cluster.up()

    [created] = [call for call in calls.read_text().splitlines() if call.startswith("kind create")]
    assert f"--kubeconfig={cluster.kubeconfig}" in created
    assert f"--config {tmp_path / 'state' / 'kind.json'}" in created
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_one_that_is_there_is_started_and_not_made_anew(tmp_path: Path, calls: Path) -> None:
    KindCluster("headgate", tmp_path / "state").up()
    calls.write_text("")

    KindCluster("headgate", tmp_path / "state").up()

    assert "create" not in calls.read_text()
    assert "docker start headgate-control-plane" in calls.read_text()


def test_only_one_of_its_name_is_deleted(tmp_path: Path, calls: Path) -> None:
    cluster = KindCluster("headgate", tmp_path / "state")
    cluster.down()
    assert "delete" not in calls.read_text()

    cluster.up()
    cluster.down()

    assert "kind delete cluster --name=headgate" in calls.read_text()
    assert not cluster.kubeconfig.exists()
