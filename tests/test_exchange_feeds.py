"""StopNCII, ThreatExchange and TCAP: what each asks for, its checkpoint, and telling back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fingerprint.errors import (
    CheckpointExpiredError,
    ExchangeAuthError,
    ExchangeError,
    ExchangeProtocolError,
    ListRefusedError,
)
from fingerprint.lists import HashList
from fingerprint.lists.exchange import (
    ENVIRONMENTS,
    Credentials,
    Retry,
    StopNciiClient,
    StopNciiFeedback,
    TcapClient,
    ThreatExchangeClient,
    exchange_names,
    open_exchange,
    sync,
)
from fingerprint.lists.exchange.tcap import _earlier
from tests.exchange_clients import EXCHANGES, MemoryList, client_of, credentials, held
from tests.exchange_model import TOKEN, Exchange
from tests.exchange_server import serving

DAY_S = 86_400.0


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as served:
        for number in range(5):
            served.put(f"e{number}")
        yield served


# ThreatExchange


def test_a_checkpoint_older_than_tombstones_is_refetched(
    exchange: Exchange, tmp_path: Path
) -> None:
    """What was deleted and forgotten meanwhile must go; until it does, the list says so."""
    with (
        HashList.create(tmp_path / "list") as known,
        client_of("threatexchange", exchange) as client,
    ):
        sync(client, known, by="test")
        exchange.delete("e1")
        exchange.pass_time(100 * DAY_S)
        exchange.put("e2", "changed")
        exchange.faults.append("404")
        with pytest.raises(ExchangeError, match="404"):
            sync(client, known, by="test")
        (reason,) = [one for one in known.stale_reasons(now=exchange.now) if "100 days" in one]
        assert "threatexchange" in reason
        assert len(known) == 5
        report = sync(client, known, by="test")
        assert "last read 100 days ago" in report.refetched
        assert (report.retracted, report.updated) == (1, 1)
        assert held(known.records()) == exchange.alive()
        assert not known.stale_reasons(now=exchange.now)
        assert "start_time" not in exchange.requests[-1].query
        # Past its tombstones the list is stale by itself, whether or not anybody syncs.
        assert not known.stale_reasons(now=exchange.now + timedelta(days=84))
        assert known.stale_reasons(now=exchange.now + timedelta(days=86))


def test_the_same_without_it_keeps_what_was_deleted(exchange: Exchange) -> None:
    """That the refetch above is needed: by updates alone the deletion never comes."""
    known = MemoryList()
    with client_of("threatexchange", exchange) as client:
        sync(client, known, by="test")
        exchange.delete("e1")
        exchange.pass_time(100 * DAY_S)
        feed = known.checkpoints[client.feed]
        feed["read_at"] = "2026-06-09T00:00:00Z"
        sync(client, known, by="test")
    assert held(known.records()) != exchange.alive()


def test_a_quiet_feed_does_not_expire_while_it_is_read(exchange: Exchange) -> None:
    known = MemoryList()
    with client_of("threatexchange", exchange) as client:
        for _ in range(4):
            assert not sync(client, known, by="test").refetched
            exchange.pass_time(80 * DAY_S)
    assert known.snapshots == ["threatexchange/77", None, None, None]


def test_the_exchange_may_know_better_what_day_it_is(exchange: Exchange) -> None:
    known = MemoryList()
    with client_of("threatexchange", exchange) as client:
        sync(client, known, by="test")
    exchange.delete("e0")
    exchange.pass_time(100 * DAY_S)
    with client_of("threatexchange", exchange, skew_s=-90 * DAY_S) as client:
        with pytest.raises(CheckpointExpiredError):
            client.fetch(known.checkpoint(client.feed))
        sync(client, known, by="test")
    assert held(known.records()) == exchange.alive()


def test_a_refetch_that_drops_too_much_is_refused_and_stays_stale(exchange: Exchange) -> None:
    for number in range(30):
        exchange.put(f"f{number}")
    known = MemoryList()
    with client_of("threatexchange", exchange) as client:
        sync(client, known, by="test")
        exchange.pass_time(100 * DAY_S)
        exchange.entries = {}
        with pytest.raises(ListRefusedError):
            sync(client, known, by="test")
    assert len(known.kept) == 35
    assert "deletions are told" in known.stale["threatexchange/77"]


def test_other_types_need_everything_again(exchange: Exchange) -> None:
    known = MemoryList()
    with client_of("threatexchange", exchange, types=["HASH_PDQ"]) as client:
        sync(client, known, by="test")
    assert exchange.requests[-1].query["types"] == "HASH_PDQ"
    with client_of("threatexchange", exchange, types=["HASH_PDQ", "HASH_MD5"]) as client:
        report = sync(client, known, by="test")
    assert "other types" in report.refetched
    assert "other types" not in str(known.stale)


def test_the_token_goes_in_a_header_and_never_in_an_address(exchange: Exchange) -> None:
    with client_of("threatexchange", exchange) as client:
        sync(client, MemoryList(), by="test")
    assert len(exchange.requests) == 2
    for request in exchange.requests:
        assert "access_token" not in request.query
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "after" in exchange.requests[1].query
    assert "descriptors{id,reactions,owner{id},tags,status}" in exchange.requests[1].query["fields"]


def test_reactions(exchange: Exchange) -> None:
    client = client_of("threatexchange", exchange)
    assert isinstance(client, ThreatExchangeClient)
    with client:
        client.react("1234", "HELPFUL")
        client.react("1234", "HELPFUL", remove=True)
        with pytest.raises(ValueError, match="expected digits"):
            client.react("1234/../5", "HELPFUL")
    assert exchange.taken == ["reactions=HELPFUL", "reactions_to_remove=HELPFUL"]
    assert exchange.requests[-1].path == "/graph/v9.0/1234"


@pytest.mark.parametrize("group", ["", "1/../2", "abc", "٧"])
def test_privacy_groups_are_numbers(exchange: Exchange, group: str) -> None:
    with pytest.raises(ValueError, match="privacy_group: expected digits"):
        client_of("threatexchange", exchange, privacy_group=group)


# StopNCII


def test_stopncii_starts_where_it_was_told_to(exchange: Exchange) -> None:
    known = MemoryList()
    with client_of("stopncii", exchange) as client:
        sync(client, known, by="test")
        settled = int(exchange.now.timestamp()) - 300
        assert known.checkpoint("stopncii") == {"next_set_timestamp": settled}
        sync(client, known, by="test")
    first, second, third = exchange.asked_for("FetchHashes")[:3]
    assert first.query == {"startTimestamp": "10", "pageSize": "3"}
    assert second.query == {"startTimestamp": "10", "pageSize": "3", "nextPageToken": "t4"}
    assert third.query["startTimestamp"] == str(settled)


def test_a_timestamp_that_goes_back_is_not_followed(exchange: Exchange) -> None:
    known = MemoryList()
    with client_of("stopncii", exchange) as client:
        sync(client, known, by="test")
        before = known.checkpoint("stopncii")
        exchange.pass_time(-1000)
        sync(client, known, by="test")
    assert known.checkpoint("stopncii") == before


def test_stopncii_feedback(exchange: Exchange) -> None:
    client = client_of("stopncii", exchange)
    assert isinstance(client, StopNciiClient)
    feedback = StopNciiFeedback("ab" * 32, "NotBlocked", ("too dark",))
    assert "abababab" not in repr(feedback)
    with client:
        client.submit_feedback([feedback])
        with pytest.raises(ValueError, match="got none"):
            client.submit_feedback([])
    assert json.loads(exchange.taken[0]) == {
        "count": 1,
        "hashFeedbacks": [
            {"hashValue": "ab" * 32, "feedbackValue": "NotBlocked", "tags": ["too dark"]}
        ],
    }


def test_feedback_needs_its_own_key(exchange: Exchange) -> None:
    keys = Credentials({"subscription_key": "one", "fetch_key": "two"})
    with (
        StopNciiClient(exchange.url, keys) as client,
        pytest.raises(ExchangeAuthError, match="feedback_key is missing"),
    ):
        client.submit_feedback([StopNciiFeedback("ab" * 32, "Blocked")])


# TCAP


def test_a_token_that_ran_out_is_renewed_amid_the_pages(exchange: Exchange) -> None:
    known = MemoryList()
    exchange.faults.extend(["", "401"])
    with client_of("tcap", exchange) as client:
        sync(client, known, by="test")
        assert held(known.records()) == exchange.alive()
        assert len(exchange.asked_for("token-auth")) == 2
        exchange.tokens.clear()
        sync(client, known, by="test")
        assert len(exchange.asked_for("token-auth")) == 3
        exchange.faults.extend(["401", "401"])
        with pytest.raises(ExchangeAuthError, match="401 Unauthorized"):
            sync(client, known, by="test")


def test_a_wrong_password(exchange: Exchange) -> None:
    wrong = Credentials({"user": "me", "password": "hidden word"})
    with (
        TcapClient(f"{exchange.url}/tcap", wrong, retry=Retry(attempts=2)) as client,
        pytest.raises(ExchangeError, match="token: answered 400"),
    ):
        client.fetch({})


def test_tcap_goes_on_from_its_own_checkpoint(exchange: Exchange) -> None:
    known = MemoryList()
    stamp = int(exchange.now.timestamp())
    with client_of("tcap", exchange) as client:
        sync(client, known, by="test")
        assert known.checkpoint("tcap/all") == {"after": f"{stamp},5"}
        exchange.pass_time(1000)
        exchange.put("late", ago_s=1200)  # Before the checkpoint, within the overlap.
        sync(client, known, by="test")
    asked = [one.query["after"] for one in exchange.asked_for("hash-list")]
    assert asked[:3] == ["", f"{stamp},3", f"{stamp - 300},5"]
    assert held(known.records()) == exchange.alive()


@pytest.mark.parametrize(
    ("checkpoint", "earlier"),
    [
        ("1704085200,124", "1704084900,124"),
        ("1704085200.25,124", "1704084900.250000,124"),
        ("2024-01-01T05:00:00Z,7", "2024-01-01T04:55:00Z,7"),
        ("2024-01-01T05:00:00+05:30,7", "2023-12-31T23:25:00Z,7"),
        ("100,1", "0,1"),
        ("", ""),
        ("opaque", "opaque"),
        ("2024-01-01T05:00:00,7", "2024-01-01T05:00:00,7"),
        ("today,7", "today,7"),
        ("nan,1", "nan,1"),
        ("inf,1", "inf,1"),
    ],
)
def test_checkpoints_a_little_earlier(checkpoint: str, earlier: str) -> None:
    assert _earlier(checkpoint, timedelta(seconds=300)) == earlier


@pytest.mark.parametrize("given", [7, ["a"], "x" * 201])
def test_a_checkpoint_that_is_none(
    exchange: Exchange, given: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = property(lambda _: given, lambda *_: None)
    monkeypatch.setattr(Exchange, "tcap_reached", always, raising=False)
    with (
        client_of("tcap", exchange) as client,
        pytest.raises(ExchangeProtocolError, match="expected a checkpoint of text"),
    ):
        sync(client, MemoryList(), by="test")
    with (
        client_of("tcap", exchange) as client,
        pytest.raises(ExchangeError, match="checkpoint: after: expected text"),
    ):
        client.fetch({"after": given})


# All


@pytest.mark.parametrize("which", EXCHANGES)
def test_wrong_credentials(which: str, exchange: Exchange) -> None:
    with client_of(which, exchange) as client:
        exchange.faults.extend(["403"] * 5)
        with pytest.raises(ExchangeAuthError, match="403 Forbidden"):
            sync(client, MemoryList(), by="test")


@pytest.mark.parametrize("name", exchange_names())
def test_exchanges_by_name(name: str) -> None:
    more = {"privacy_group": "7"} if name == "threatexchange" else {}
    client = open_exchange(name, credentials(), **more)
    assert client.feed.split("/")[0] == name
    assert "https://" in repr(client)
    assert TOKEN not in repr(client)
    assert open_exchange(name, credentials(), base_url="https://else.test/x", **more).feed


def test_exchanges_that_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExchangeError, match="expected one of ncmec, stopncii, tcap"):
        open_exchange("iwf", credentials())
    with pytest.raises(ExchangeError, match="expected one of industry"):
        open_exchange("ncmec", credentials(), environment="mars")
    assert all(url.startswith("https://") for url in ENVIRONMENTS.values())
    for name in ("USER", "PASSWORD"):
        monkeypatch.delenv(f"FINGERPRINT_NCMEC_{name}", raising=False)
    with pytest.raises(ExchangeAuthError, match="FINGERPRINT_NCMEC_USER"):
        open_exchange("ncmec")
