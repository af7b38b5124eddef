"""Exchanges by name, for command lines and settings."""

from __future__ import annotations

from typing import Any

from fingerprint.errors import ExchangeError
from fingerprint.lists.exchange.base import ExchangeClient
from fingerprint.lists.exchange.credentials import Credentials

__all__ = ["exchange_names", "open_exchange"]

_NAMES = ("ncmec", "stopncii", "tcap", "threatexchange")


def exchange_names() -> tuple[str, ...]:
    """Return the names that `open_exchange` knows."""
    return _NAMES


def open_exchange(
    name: str,
    credentials: Credentials | None = None,
    *,
    base_url: str = "",
    **options: Any,
) -> ExchangeClient:
    """Return a client of an exchange.

    Parameters
    ----------
    name : str
        One of `exchange_names`.
    credentials : Credentials, optional
        From the environment by default: ``FINGERPRINT_NCMEC_USER`` and so on.
    base_url : str
        The published address by default; for NCMEC that of ``environment``.
    **options
        Of the client: ``environment``, ``privacy_group``, ``ideology`` and so on.

    Raises
    ------
    ExchangeError
        There is no such exchange, or no published address of its environment.
    ExchangeAuthError
        The environment has no credentials.
    """
    if name not in _NAMES:
        raise ExchangeError(f"exchange {name!r}: expected one of {', '.join(_NAMES)}")
    given = credentials or Credentials.from_environment(name)
    if name == "ncmec":
        from fingerprint.lists.exchange.ncmec import ENVIRONMENTS, NcmecClient

        environment = options.get("environment", "industry")
        if not base_url and environment not in ENVIRONMENTS:
            raise ExchangeError(
                f"environment {environment!r}: expected one of {', '.join(ENVIRONMENTS)}, or a "
                "base_url"
            )
        return NcmecClient(base_url or ENVIRONMENTS[environment], given, **options)
    if name == "stopncii":
        from fingerprint.lists.exchange.stopncii import STOPNCII_URL, StopNciiClient

        return StopNciiClient(base_url or STOPNCII_URL, given, **options)
    if name == "tcap":
        from fingerprint.lists.exchange.tcap import TCAP_URL, TcapClient

        return TcapClient(base_url or TCAP_URL, given, **options)
    from fingerprint.lists.exchange.threatexchange import THREATEXCHANGE_URL, ThreatExchangeClient

    return ThreatExchangeClient(base_url or THREATEXCHANGE_URL, given, **options)
