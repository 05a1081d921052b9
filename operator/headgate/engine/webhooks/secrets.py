"""Finds out for which triggers a delivery is signed, in a time that does not tell whether there are any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from pydantic import ValidationError

from headgate.api.webhook import Webhook
from headgate.domain.credentials import Values
from headgate.domain.envelope import KEY_BYTES, NONCE_BYTES, CannotOpen, DataKey, KeyRing, Place, UnknownKey
from headgate.domain.webhooks import SECRET_PREFIX, Signed, signing_key
from headgate.store.credentials import Stored
from headgate.store.webhooks import Listener

CHECKS = 4
"""Credentials that are opened, and secrets that are tried, for each delivery at least: as many as a trigger names."""
_NOBODY = UUID(int=0)
_NOBODYS = Listener("", "", "", {"hook": "nobody", "secrets": [{"name": "nobody", "key": "key"}]})


class SecretChecker:
    """Opens credentials and tries what is in them. What is missing is made up for by what belongs to nobody."""

    def __init__(self, keys: KeyRing, randomness: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._decoy = _decoy(keys, randomness)
        self._decoy_key = randomness(KEY_BYTES)

    def signed_for(
        self, claimed: Signed, listeners: Sequence[Listener], stored: Mapping[str, Stored]
    ) -> tuple[Listener, ...]:
        """The triggers for which the delivery is signed. Unreadable or unfit secrets are as none."""
        values = {name: found for name, each in stored.items() if (found := self._opened(each)) is not None}
        for _ in range(CHECKS - len(stored)):
            self._opened(self._decoy)
        keys = [_keys_of(listener, claimed, values) for listener in listeners or (_NOBODYS,)]
        tried = {key: claimed.is_by([key]) for key in {key for found in keys for key in found}}
        for _ in range(CHECKS - len(tried)):
            claimed.is_by([self._decoy_key])
        return tuple(
            listener for listener, found in zip(listeners, keys, strict=False) if any(tried[key] for key in found)
        )

    def problem(self, listener: Listener, stored: Mapping[str, Stored]) -> str | None:
        """Why nothing can be signed for a trigger, and what to change; None where something can."""
        webhook = webhook_of(listener)
        if webhook is None:
            return "this release of Headgate cannot read the trigger: apply the workflow again"
        found: list[str] = []
        for secret in webhook.secrets:
            named = f"{secret.key} of credential {secret.name}"
            values = self._opened(stored[secret.name]) if secret.name in stored else None
            if values is None or secret.key not in values.by_key:
                found.append(f"there is no {named}, or it cannot be decrypted")
            elif signing_key(webhook.format, values.by_key[secret.key]) is None:
                found.append(f"{named} is no secret in the format {webhook.format}")
            else:
                return None
        return "; ".join(found)

    def _opened(self, each: Stored) -> Values | None:
        try:
            return self._keys.unwrap(each.key).open(each.place, each.sealed)
        except (CannotOpen, UnknownKey):
            return None


def webhook_of(listener: Listener) -> Webhook | None:
    """The trigger's config; None where another release wrote it in a way that this one cannot read."""
    try:
        return Webhook.model_validate(listener.config)
    except ValidationError:
        return None


def _keys_of(listener: Listener, claimed: Signed, values: Mapping[str, Values]) -> frozenset[bytes]:
    """The keys by which a delivery of that format may be signed for the trigger."""
    webhook = webhook_of(listener)
    if webhook is None or webhook.format is not claimed.format:
        return frozenset()
    named = (values[ref.name].by_key.get(ref.key) for ref in webhook.secrets if ref.name in values)
    found = (signing_key(webhook.format, text) for text in named if text is not None)
    return frozenset(key for key in found if key is not None)


def _decoy(keys: KeyRing, randomness: Callable[[int], bytes]) -> Stored:
    """A credential of nobody."""
    key = DataKey(_NOBODY, _NOBODY, randomness(KEY_BYTES))
    place = Place(_NOBODY, _NOBODY, "nobody", "nobody", 1)
    sealed = key.seal(place, Values({"key": SECRET_PREFIX}), randomness(NONCE_BYTES))
    return Stored(place, sealed, keys.wrap(key, randomness(NONCE_BYTES)))
