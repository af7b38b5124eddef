"""What an exchange knows its caller by: from the environment or a keyring, never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from fingerprint.errors import ExchangeAuthError, MissingExtraError

__all__ = ["CREDENTIAL_NAMES", "Credentials"]

CREDENTIAL_NAMES: Final = (
    "user",
    "password",
    "token",
    "subscription_key",
    "fetch_key",
    "feedback_key",
)
"""What the exchanges ask for: `NcmecClient` and `TcapClient` a user and a password,
`ThreatExchangeClient` a token, `StopNciiClient` the three keys."""

_SHORTEST_TO_SCRUB = 4


class Credentials:
    """Secrets by name; nothing shows their values.

    Parameters
    ----------
    secrets : mapping of str to str
        By one of `CREDENTIAL_NAMES`.

    Raises
    ------
    ExchangeAuthError
        A name is unknown, or a value is empty or holds what no header may.

    Examples
    --------
    >>> Credentials({"user": "me", "password": "hidden"})
    Credentials(password, user)
    """

    __slots__ = ("_more", "_secrets")

    def __init__(self, secrets: Mapping[str, str]) -> None:
        for name, value in secrets.items():
            if name not in CREDENTIAL_NAMES:
                raise ExchangeAuthError(
                    f"credentials: {name!r}: expected one of {', '.join(CREDENTIAL_NAMES)}"
                )
            if not isinstance(value, str) or not value or not value.isprintable():
                raise ExchangeAuthError(
                    f"credentials: {name}: expected text of printable characters"
                )
            if name not in ("user", "password") and not value.isascii():
                raise ExchangeAuthError(f"credentials: {name}: expected ASCII")
        self._secrets = dict(secrets)
        self._more: list[str] = []

    @classmethod
    def from_environment(cls, name: str, environ: Mapping[str, str] | None = None) -> Credentials:
        """Read ``FINGERPRINT_{name}_USER``, ``_PASSWORD``, ``_TOKEN`` and so on.

        Raises
        ------
        ExchangeAuthError
            None of them is set.
        """
        given = os.environ if environ is None else environ
        prefix = f"FINGERPRINT_{name.upper()}_"
        found = {
            one: value for one in CREDENTIAL_NAMES if (value := given.get(prefix + one.upper()))
        }
        if not found:
            names = ", ".join(prefix + one.upper() for one in CREDENTIAL_NAMES)
            raise ExchangeAuthError(f"credentials: expected one or more of {names} to be set")
        return cls(found)

    @classmethod
    def from_keyring(cls, service: str) -> Credentials:
        """Read the entries of a service in the keyring, whose user names are the secrets' names.

        ``keyring set SERVICE password`` stores one.

        Raises
        ------
        ExchangeAuthError
            The service has none of `CREDENTIAL_NAMES`, or the keyring cannot be read.
        MissingExtraError
            ``keyring`` is not installed.
        """
        try:
            import keyring
            from keyring.errors import KeyringError
        except ImportError:
            raise MissingExtraError("keyring", "keyring") from None
        found: dict[str, str] = {}
        failed = ""
        try:
            for one in CREDENTIAL_NAMES:
                if value := keyring.get_password(service, one):
                    found[one] = value
        except KeyringError as error:
            failed = type(error).__name__
        if failed:
            raise ExchangeAuthError(f"credentials: the keyring cannot be read: {failed}")
        if not found:
            raise ExchangeAuthError(
                f"credentials: expected the keyring's service {service!r} to have one or more of "
                f"{', '.join(CREDENTIAL_NAMES)}"
            )
        return cls(found)

    def require(self, *names: str) -> tuple[str, ...]:
        """Return secrets by name; ExchangeAuthError names those that are missing."""
        missing = [name for name in names if name not in self._secrets]
        if missing:
            raise ExchangeAuthError(
                f"credentials: expected {' and '.join(names)}, {' and '.join(missing)} is missing"
            )
        return tuple(self._secrets[name] for name in names)

    def also_hide(self, secrets: Iterable[str]) -> None:
        """Hide what was made of these secrets, such as a token that the exchange gave."""
        self._more = [*self._more[-64:], *secrets]

    def hidden(self, text: str) -> str:
        """Return a text without any of these secrets in it."""
        for secret in sorted((*self._secrets.values(), *self._more), key=len, reverse=True):
            if len(secret) >= _SHORTEST_TO_SCRUB:  # Hosts come back in small letters.
                text = re.sub(re.escape(secret), "…", text, flags=re.IGNORECASE)
        return text

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self._secrets))})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("Credentials are not stored: read them again where they are needed")
