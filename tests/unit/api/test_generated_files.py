from __future__ import annotations

from pathlib import Path

import pytest

from hack import generate
from headgate.api.crd import KINDS, custom_resource_definition
from tests.support.documents import document


def test_the_files_of_the_checkout_are_up_to_date() -> None:
    assert generate.differences(generate.ROOT, generate.generated()) == []


def test_the_chart_carries_the_same_definitions() -> None:
    files = generate.generated()

    for kind in KINDS:
        name = f"{kind.resource.plural}.yaml"
        assert files[f"charts/headgate/files/crds/{name}"] == files[f"crds/{name}"]


def test_definitions_survive_being_read_again() -> None:
    for kind in KINDS:
        text = generate.generated()[f"crds/{kind.resource.plural}.yaml"]
        assert document(text) == custom_resource_definition(kind)


def test_the_reference_names_every_kind_and_field() -> None:
    page = generate.generated()[generate.REFERENCE]

    assert "| `spec.nodes[].config.container.env[].valueFrom.secretKeyRef.name` | string; required" in page
    assert "| `spec.limits.maxWorkflows` | integer; 0 to 100000; default `100` |" in page
    assert "- `spec.nodes`: list every node after the nodes that it names in dependsOn" in page
    assert all(f"## {kind.resource.kind}\n" in page for kind in KINDS)


def test_writing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    files = {"crds/a.yaml": "a: 1\n", "docs/reference/b.md": "b\n"}

    assert generate.write(tmp_path, files) == ["crds/a.yaml", "docs/reference/b.md"]
    assert generate.write(tmp_path, files) == []
    assert generate.differences(tmp_path, files) == []


def test_a_file_that_differs_is_named_with_what_differs(tmp_path: Path) -> None:
    generate.write(tmp_path, {"crds/a.yaml": "a: 1\nb: 2\n"})

    assert generate.differences(tmp_path, {"crds/a.yaml": "a: 1\nb: 3\n"}) == ["crds/a.yaml: differs\n  -b: 2\n  +b: 3"]


def test_a_long_difference_is_cut_short(tmp_path: Path) -> None:
    generate.write(tmp_path, {"crds/a.yaml": ""})

    (found,) = generate.differences(tmp_path, {"crds/a.yaml": "x\n" * 20})
    assert found.endswith("\n  and 8 more lines")


def test_missing_and_superfluous_files_are_named(tmp_path: Path) -> None:
    generate.write(tmp_path, {"crds/old.yaml": ""})

    assert generate.differences(tmp_path, {"crds/new.yaml": ""}) == [
        "crds/new.yaml: missing",
        "crds/old.yaml: nothing generates it",
    ]


def test_what_nothing_generates_any_more_is_removed(tmp_path: Path) -> None:
    generate.write(tmp_path, {"crds/old.yaml": ""})

    generate.write(tmp_path, {"crds/new.yaml": ""})

    assert [path.name for path in (tmp_path / "crds").iterdir()] == ["new.yaml"]


@pytest.mark.parametrize(("content", "code"), [(None, 1), ("stale", 1)])
def test_the_check_fails_with_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    code: int,
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    if content is not None:
        generate.write(tmp_path, {"crds/quotas.yaml": content})

    assert generate.main(["--check"]) == code
    assert "run `python -m hack.generate`" in capsys.readouterr().err
    assert not (tmp_path / generate.REFERENCE).exists()


def test_after_writing_the_check_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)

    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
