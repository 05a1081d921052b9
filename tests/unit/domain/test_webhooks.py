from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.webhook import WebhookFormat
from headgate.domain.webhooks import (
    ID_CHARACTERS,
    MALFORMED,
    NOT_SIGNED,
    OUT_OF_TIME,
    TOLERANCE,
    Unsigned,
    event_of,
    kept,
    signed,
    signing_key,
)
from tests.component.webhook_client import KEY, OTHER_KEY, github, standard

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
AT = int(NOON.timestamp())
BODY = b'{"type": "order.paid"}'


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def changed(data: bytes, bit: int) -> bytes:
    """The bytes with one bit turned round."""
    at = bit % (8 * len(data))
    return bytes(byte ^ (1 << at % 8) if index == at // 8 else byte for index, byte in enumerate(data))


class TestStandard:
    def test_the_example_of_the_specification_is_good(self) -> None:
        headers = {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        key = signing_key(WebhookFormat.STANDARD, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        assert key is not None

        claimed = signed(headers, b'{"test": 2432232314}', datetime.fromtimestamp(1614265330, UTC))

        assert claimed.is_by([key])

    def test_any_of_several_secrets_and_signatures_may_fit(self) -> None:
        headers = standard("msg-1", AT, BODY)
        wrong = base64.b64encode(bytes(32)).decode()
        headers["webhook-signature"] = f"v1a,x v1,{wrong} v2,{wrong} {headers['webhook-signature']}"

        claimed = signed(headers, BODY, NOON)

        assert claimed.is_by([OTHER_KEY, KEY])
        assert not claimed.is_by([OTHER_KEY])
        assert not claimed.is_by([])

    @given(bit=st.integers(0, 10_000))
    def test_no_bit_of_the_body_can_be_changed(self, bit: int) -> None:
        assert not signed(standard("msg-1", AT, BODY), changed(BODY, bit), NOON).is_by([KEY])

    @given(bit=st.integers(0, 10_000))
    def test_no_bit_of_the_signature_can_be_changed(self, bit: int) -> None:
        headers = standard("msg-1", AT, BODY)
        signature = base64.b64decode(headers["webhook-signature"].removeprefix("v1,"))
        headers["webhook-signature"] = f"v1,{base64.b64encode(changed(signature, bit)).decode()}"

        assert not signed(headers, BODY, NOON).is_by([KEY])

    @given(moved=st.integers(-299, 299).filter(bool))
    def test_its_time_is_signed_too(self, moved: int) -> None:
        headers = standard("msg-1", AT, BODY) | {"webhook-timestamp": str(AT + moved)}

        assert not signed(headers, BODY, NOON).is_by([KEY])

    def test_its_id_is_signed_too(self) -> None:
        assert not signed(standard("msg-1", AT, BODY) | {"webhook-id": "msg-2"}, BODY, NOON).is_by([KEY])

    def test_id_time_and_body_cannot_be_parted_otherwise(self) -> None:
        headers = standard("msg-1", AT, b"7.{}")
        shifted = headers | {"webhook-id": f"msg-1.{AT}", "webhook-timestamp": "7"}

        with pytest.raises(Unsigned):
            signed(shifted, b"{}", NOON)

    @pytest.mark.parametrize("seconds", [-1, 1])
    def test_it_is_good_for_five_minutes_either_way_and_no_longer(self, seconds: int) -> None:
        edge = seconds * TOLERANCE

        assert signed(standard("msg-1", AT, BODY), BODY, NOON + edge).is_by([KEY])
        with pytest.raises(Unsigned, match="set the clock") as refused:
            signed(standard("msg-1", AT, BODY), BODY, NOON + edge + seconds * timedelta(milliseconds=1))
        assert refused.value.reason == OUT_OF_TIME

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("webhook-id", ""),
            ("webhook-id", "x" * (ID_CHARACTERS + 1)),
            ("webhook-id", "x" * 10_240),
            ("webhook-id", "a b"),
            ("webhook-id", "a\nb"),
            ("webhook-id", "ä"),
            ("webhook-timestamp", ""),
            ("webhook-timestamp", "-1"),
            ("webhook-timestamp", f"{AT}.0"),
            ("webhook-timestamp", "1" * 5000),
            ("webhook-timestamp", "١٢٣"),
            ("webhook-signature", ""),
            ("webhook-signature", "v1"),
            ("webhook-signature", "v1,"),
            ("webhook-signature", "v1,AAAA"),
            ("webhook-signature", "v1,ä"),
            ("webhook-signature", f"v2,{base64.b64encode(bytes(32)).decode()}"),
            ("webhook-signature", " ".join([f"v1,{base64.b64encode(bytes(32)).decode()}"] * 9)),
            ("webhook-signature", f"v1,{base64.b64encode(bytes(32)).decode()}" + " " * 10_240),
        ],
    )
    def test_what_has_no_form_is_refused_by_name_and_not_quoted(self, name: str, value: str) -> None:
        with pytest.raises(Unsigned, match=f"send {name}") as refused:
            signed(standard("msg-1", AT, BODY) | {name: value}, BODY, NOON)

        assert refused.value.reason == MALFORMED
        assert len(str(refused.value)) < 100


class TestGithub:
    SECRET = "It's a Secret to Everybody"

    def test_the_example_of_its_documentation_is_good(self) -> None:
        digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        headers = {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": "1", "x-github-event": "push"}
        key = signing_key(WebhookFormat.GITHUB, self.SECRET)
        assert key is not None

        claimed = signed(headers, b"Hello, World!", NOON)

        assert claimed.is_by([key])
        assert (claimed.format, claimed.message_id, claimed.event) == (WebhookFormat.GITHUB, "1", "push")

    @given(bit=st.integers(0, 10_000))
    def test_no_bit_of_the_body_can_be_changed(self, bit: int) -> None:
        headers = lower(github("1", "push", BODY, self.SECRET))

        assert not signed(headers, changed(BODY, bit), NOON).is_by([self.SECRET.encode()])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("x-github-delivery", ""),
            ("x-github-event", "a b"),
            ("x-hub-signature-256", "sha1=00"),
            ("x-hub-signature-256", "sha256=" + "0" * 63),
            ("x-hub-signature-256", "sha256=" + "G" * 64),
        ],
    )
    def test_what_has_no_form_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(Unsigned):
            signed(lower(github("1", "push", BODY, self.SECRET)) | {name: value}, BODY, NOON)


def test_without_a_signature_it_is_said_how_to_sign() -> None:
    with pytest.raises(Unsigned, match="sign the delivery") as refused:
        signed({"webhook-id": "msg-1"}, BODY, NOON)

    assert refused.value.reason == NOT_SIGNED


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (WebhookFormat.STANDARD, base64.b64encode(KEY).decode()),
        (WebhookFormat.STANDARD, "whsec_" + base64.b64encode(bytes(15)).decode()),
        (WebhookFormat.STANDARD, "whsec_not base64!"),
        (WebhookFormat.STANDARD, "whsec_ä"),
        (WebhookFormat.STANDARD, ""),
        (WebhookFormat.GITHUB, "too short"),
        (WebhookFormat.GITHUB, ""),
    ],
)
def test_a_secret_that_is_none_is_no_key(form: WebhookFormat, value: str) -> None:
    assert signing_key(form, value) is None


def test_white_space_around_a_secret_is_no_part_of_it() -> None:
    assert signing_key(WebhookFormat.STANDARD, f" whsec_{base64.b64encode(KEY).decode()}\n") == KEY


def test_of_the_headers_those_are_kept_that_say_what_came_and_no_proof() -> None:
    headers = standard("msg-1", AT, BODY) | {"user-agent": "x" * 1000, "cookie": "secret", "content-type": "a\x00b"}

    assert kept(headers) == {"webhook-id": "msg-1", "webhook-timestamp": str(AT), "user-agent": "x" * 256}


@pytest.mark.parametrize(
    ("body", "event"),
    [({"type": "order.paid"}, "order.paid"), ({"type": 7}, ""), ({"type": "a b"}, ""), ({}, ""), ([1], ""), (None, "")],
)
def test_the_type_of_a_standard_event_is_in_its_body(body: Any, event: str) -> None:
    assert event_of(signed(standard("msg-1", AT, BODY), BODY, NOON), body) == event


def test_the_type_of_one_of_github_is_in_a_header_only() -> None:
    said = lower(github("1", "push", BODY, "s"))

    assert event_of(signed(said, BODY, NOON), {"type": "other"}) == "push"
    assert event_of(signed(said | {"x-github-event": ""}, BODY, NOON), {"type": "other"}) == ""


def test_what_is_printed_of_a_delivery_shows_neither_body_nor_signature() -> None:
    assert "order" not in repr(signed(standard("msg-1", AT, BODY), BODY, NOON))
