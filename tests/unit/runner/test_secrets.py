"""Keeping secrets out of what leaves the runner."""

from __future__ import annotations

from headgate.runner.secrets import Redactor
from tests.unit.runner.tasks import secrets


def test_every_text_of_a_value_is_cleaned_and_everything_else_stays() -> None:
    redactor = secrets(a="hunter22").redactor()

    assert redactor.json({"hunter22": ["a hunter22 b", 7, None, True]}) == {
        "[redacted]": ["a [redacted] b", 7, None, True]
    }


def test_the_longer_secret_goes_first() -> None:
    assert Redactor(["pass", "password"]).text("password") == "[redacted]"


def test_each_line_of_a_key_file_is_a_secret_and_its_end_does_not_matter() -> None:
    redactor = Redactor(["-----BEGIN KEY-----\nMIIBVgIBADANBg\n-----END KEY-----\n"])

    assert redactor.text("found MIIBVgIBADANBg") == "found [redacted]"
    assert Redactor(["hunter22\n"]).text("hunter22") == "[redacted]"


def test_neither_secrets_nor_redactors_show_values() -> None:
    held = secrets(a="hunter22")

    assert "hunter22" not in repr(held)
    assert "hunter22" not in repr(held.redactor())


def test_parts_and_credentials_are_hidden_for_whom_they_are_given_and_no_longer() -> None:
    held = secrets(a="hunter22")
    before = held.redactor().text("hunter22 given-one a-part")

    assert held.with_credentials({"c": {"k": "given-one"}}).redactor(["a-part"]).text(
        "hunter22 given-one a-part"
    ) == " ".join(["[redacted]"] * 3)
    assert held.redactor().text("hunter22 given-one a-part") == before == "[redacted] given-one a-part"
