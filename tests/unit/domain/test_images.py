from __future__ import annotations

import pytest

from headgate.domain.images import problem


@pytest.mark.parametrize("image", ["busybox", "shop/extract:4", f"localhost:5000/a/b_c:1@sha256:{'0' * 64}"])
def test_an_image_is_one(image: str) -> None:
    assert problem(image) is None


@pytest.mark.parametrize(
    "image",
    [
        "",
        "shop/extract:",
        "shop/extract: 4",
        "shop/extract:4\n",
        "shop/extract:${{ inputs.tag }}",
        "https://evil.example.com/x",
        "shop/extract:4 evil.example.com/x",
        "\u0455hop/extract:4",
        "x" * 513,
    ],
)
def test_what_is_no_image_is_told_as_what_it_became(image: str) -> None:
    told = problem(image)

    assert told is not None
    assert repr(image)[:20] in told
    assert len(told) < 300
