from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster import toolchain

FOLDER = Path("/checkout/hack/cluster/modules/helm")


def machine(monkeypatch: pytest.MonkeyPatch, *programs: str, docker_answers: bool = False) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/bin/{name}" if name in programs else None)
    monkeypatch.setattr(toolchain, "succeeds", lambda *_: docker_answers)


def test_the_machine_s_go_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "go", "docker", docker_answers=True)

    command, environment = toolchain.go(FOLDER)

    assert command == ["/bin/go"]
    assert environment["CGO_ENABLED"] == "0"


def test_without_go_a_container_compiles_for_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, "docker", docker_answers=True)
    monkeypatch.setenv("HEADGATE_CACHE", str(tmp_path))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")

    command, _ = toolchain.go(FOLDER)

    assert command[:3] == ["docker", "run", "--rm"]
    assert command[-2:] == [toolchain.IMAGE, "go"]
    assert f"--workdir={FOLDER}" in command
    assert f"--volume={tmp_path}:{tmp_path}" in command
    assert {"--env=GOOS=linux", "--env=GOARCH=arm64", "--env=CGO_ENABLED=0"} <= set(command)


@pytest.mark.parametrize("programs", [(), ("docker",)])
def test_without_either_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch, programs: tuple[str, ...]) -> None:
    machine(monkeypatch, *programs)

    with pytest.raises(RuntimeError, match="neither is there: Go"):
        toolchain.go(FOLDER)
