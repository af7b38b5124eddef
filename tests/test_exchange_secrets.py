"""No secret is told to anybody: not by errors, what is behind them, reprs, or logs."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
import traceback
from collections.abc import Iterator

import httpx
import pytest

from fingerprint.errors import (
    ExchangeAuthError,
    ExchangeError,
    ExchangeProtocolError,
    ListFormatError,
    MissingExtraError,
)
from fingerprint.lists.exchange import Credentials, Retry, sync
from fingerprint.lists.exchange.transport import Transport
from tests.exchange_clients import EXCHANGES, MemoryList, client_of, credentials
from tests.exchange_model import FETCH_KEY, PASSWORD, SUBSCRIPTION, TOKEN, Exchange
from tests.exchange_server import serving

SECRETS = (PASSWORD, TOKEN, FETCH_KEY, SUBSCRIPTION, "YW5hbHlzdDpjb3JyZWN0", "jwt-")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as served:
        yield served


def chain_of(error: BaseException) -> Iterator[BaseException]:
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None:
            yield one
            left += [one.__cause__, one.__context__]


@pytest.mark.parametrize("which", EXCHANGES)
def test_no_secret_is_told(
    which: str, exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by errors, nor by what is behind them, nor in the logs of anybody at DEBUG."""
    for number in range(7):
        exchange.put(f"e{number}")
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    told: list[str] = []
    faults = ("404", "403", "html", "half-document", "drop", "redirect-away", "next-away", "loop")
    for fault in (*faults, "retry-never", ""):
        client = client_of(which, exchange, retry=Retry(attempts=2))
        known = MemoryList()
        exchange.faults.extend([fault] * 9)
        with client:
            told += [repr(client), str(client), repr(client._transport), repr(client._credentials)]
            try:
                sync(client, known, by="test")
            except ExchangeError as error:
                for one in chain_of(error):
                    told += [str(one), repr(one), *traceback.format_exception(one)]
                    assert not isinstance(one, httpx.HTTPError)
        exchange.faults.clear()
        told.append(repr(known.checkpoints))
    told += [record.getMessage() for record in caplog.records]
    assert any("HTTP Request: GET" in one for one in told), "httpx's log was not seen"
    for secret in SECRETS:
        assert not [one for one in told if secret in one]


def test_a_secret_that_comes_back_is_cut_out() -> None:
    def fine(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"fine"))

    def echo(body: bytes) -> bytes:
        raise ListFormatError("page", f"expected a page, got access_token={PASSWORD}")

    transport = Transport(
        "some",
        "https://host.test",
        credentials(),
        transport=httpx.MockTransport(fine),
        sleep=lambda _: None,
    )
    with pytest.raises(ExchangeProtocolError) as caught:
        transport.get("page", transport.url("page"), echo, headers={})
    assert "access_token=…" in str(caught.value)
    assert all(PASSWORD not in str(one) for one in chain_of(caught.value))


def test_credentials_do_not_show() -> None:
    known = credentials()
    assert (
        repr(known)
        == str(known)
        == ("Credentials(feedback_key, fetch_key, password, subscription_key, token, user)")
    )
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not stored"):
            copied(known)
    assert not hasattr(known, "__dict__")


def test_credentials_from_the_environment() -> None:
    environ = {
        "FINGERPRINT_NCMEC_USER": "me",
        "FINGERPRINT_NCMEC_PASSWORD": "hidden word",
        "FINGERPRINT_NCMEC_TOKEN": "",
        "FINGERPRINT_TCAP_TOKEN": "other",
    }
    known = Credentials.from_environment("ncmec", environ)
    assert known.require("user", "password") == ("me", "hidden word")
    with pytest.raises(ExchangeAuthError, match="expected user and token, token is missing"):
        known.require("user", "token")
    with pytest.raises(ExchangeAuthError, match="FINGERPRINT_STOPNCII_SUBSCRIPTION_KEY"):
        Credentials.from_environment("stopncii", environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [("pass", "x"), ("password", ""), ("password", "x\n"), ("token", "töken"), ("token", "a\rb")],
)
def test_credentials_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(ExchangeAuthError, match="expected") as caught:
        Credentials({name: value})
    assert not value.strip() or value.strip() == "x" or value not in str(caught.value)


def test_credentials_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    kept = {("our ncmec", "user"): "me", ("our ncmec", "password"): "hidden word"}
    monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
    known = Credentials.from_keyring("our ncmec")
    assert known.require("user", "password") == ("me", "hidden word")
    with pytest.raises(ExchangeAuthError, match="expected the keyring's service 'other'"):
        Credentials.from_keyring("other")

    def locked(service: str, name: str) -> str:
        raise keyring.errors.KeyringLocked("hidden word")

    monkeypatch.setattr(keyring, "get_password", locked)
    with pytest.raises(ExchangeAuthError, match="cannot be read: KeyringLocked") as caught:
        Credentials.from_keyring("our ncmec")
    assert all("hidden word" not in str(one) for one in chain_of(caught.value))


def test_without_the_keyring_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtraError, match="keyring"):
        Credentials.from_keyring("any")
