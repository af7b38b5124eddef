"""Clients of hash exchanges: NCMEC, StopNCII, ThreatExchange, Tech Against Terrorism.

Written from public documents and clients, and tested against a local server that speaks what
is documented; no live service was contacted. See ``docs/exchanges.md``.
"""

from __future__ import annotations

from fingerprint.lists.exchange.base import ExchangeClient, Fetch
from fingerprint.lists.exchange.credentials import CREDENTIAL_NAMES, Credentials
from fingerprint.lists.exchange.ncmec import ENVIRONMENTS, NcmecClient
from fingerprint.lists.exchange.registry import exchange_names, open_exchange
from fingerprint.lists.exchange.retrying import Retry
from fingerprint.lists.exchange.stopncii import STOPNCII_URL, StopNciiClient, StopNciiFeedback
from fingerprint.lists.exchange.syncing import SyncReport, sync
from fingerprint.lists.exchange.tcap import TCAP_URL, TcapClient
from fingerprint.lists.exchange.threatexchange import THREATEXCHANGE_URL, ThreatExchangeClient

__all__ = [
    "CREDENTIAL_NAMES",
    "ENVIRONMENTS",
    "STOPNCII_URL",
    "TCAP_URL",
    "THREATEXCHANGE_URL",
    "Credentials",
    "ExchangeClient",
    "Fetch",
    "NcmecClient",
    "Retry",
    "StopNciiClient",
    "StopNciiFeedback",
    "SyncReport",
    "TcapClient",
    "ThreatExchangeClient",
    "exchange_names",
    "open_exchange",
    "sync",
]
