"""NCMEC's windows of time: which are asked for, and how far a checkpoint moves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fingerprint.errors import ExchangeError, ExchangeProtocolError
from fingerprint.lists.exchange import Credentials, NcmecClient, sync
from tests.exchange_clients import MemoryList, client_of, held
from tests.exchange_model import Exchange
from tests.exchange_server import serving


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as served:
        yield served


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/St_Johns"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def windows(exchange: Exchange) -> list[tuple[str, str]]:
    """Each that was asked for, once."""
    asked = [(one.query["from"], one.query["to"]) for one in exchange.asked_for("/entries")]
    return list(dict.fromkeys(asked))


def test_windows_are_in_utc_wherever_the_machine_is(exchange: Exchange, zone: str) -> None:
    known = MemoryList()
    with client_of("ncmec", exchange) as client:
        exchange.put("one")
        sync(client, known, by="test")
        exchange.pass_time(1800)  # Less than any zone's distance from UTC.
        exchange.put("two")
        sync(client, known, by="test")
    assert windows(exchange) == [
        ("1970-01-01T00:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T11:50:00Z", "2026-03-01T12:30:00Z"),
    ]
    assert known.checkpoint("ncmec/industry") == {"to": "2026-03-01T12:25:00Z"}
    assert held(known.records()) == exchange.alive()
    seen = {record.record_id: record.last_seen for record in known.records()}
    assert seen["two"] == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("clock", ["2026-03-01T17:30:00+05:30", "2026-03-01T08:30:00-03:30"])
def test_the_time_here_may_be_told_in_any_zone(exchange: Exchange, clock: str) -> None:
    with client_of("ncmec", exchange) as client:
        fetch = client.fetch({}, now=datetime.fromisoformat(clock))
        list(fetch)
    assert fetch.checkpoint == {"to": "2026-03-01T11:55:00Z"}
    assert fetch.refreshed_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_link_in_another_notation_is_the_same_window(exchange: Exchange) -> None:
    for number in range(8):
        exchange.put(f"e{number}")
    exchange.faults.extend(["zone"])
    known = MemoryList()
    with client_of("ncmec", exchange) as client:
        sync(client, known, by="test")
    assert held(known.records()) == exchange.alive()


@pytest.mark.parametrize(
    ("name", "value"),
    [("from", "2026-01-01T00:00:00Z"), ("to", "2026-03-01T12:00:00"), ("to", "yesterday")],
)
def test_a_next_page_belongs_to_its_window(
    exchange: Exchange, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        exchange.put(f"e{number}")
    page_of = exchange.ncmec
    given = {"from": "1970-01-01T00:00:00Z", "to": "2026-03-01T12:00:00Z"}

    def other_window(query: dict[str, str]) -> object:
        page = page_of(query)
        page.next = "/v2/entries?" + "&".join(
            f"{k}={v}" for k, v in {**given, name: value, "start": "4"}.items()
        )
        return page

    monkeypatch.setattr(exchange, "ncmec", other_window)
    known = MemoryList()
    with (
        client_of("ncmec", exchange, check_counts=False) as client,
        pytest.raises(ExchangeProtocolError, match="is of another window"),
    ):
        sync(client, known, by="test")
    assert not known.kept
    assert not known.checkpoints


def many(exchange: Exchange, count: int, days: int) -> None:
    for number in range(count):
        exchange.put(f"e{number}", ago_s=(number * 7919 % count) * days * 86400 / count)


def test_a_long_first_reading_is_cut_and_goes_on_where_it_broke(exchange: Exchange) -> None:
    many(exchange, 120, days=4000)
    exchange.page_size = 10
    known = MemoryList()
    with client_of("ncmec", exchange, max_window_entries=30) as client:
        # Somewhere amid the third window the exchange is gone.
        exchange.faults.extend([""] * 14 + ["404"])
        with pytest.raises(ExchangeError, match="404"):
            sync(client, known, by="test")
        reached = known.checkpoint("ncmec/industry")
        assert set(reached) == {"to", "window_s"}
        assert 0 < len(known.kept) < 120
        before = len(exchange.requests)
        report = sync(client, known, by="test")
        assert len(report.commits) > 1
        assert held(known.records()) == exchange.alive()
        again = [one.query["from"] for one in exchange.requests[before:] if "from" in one.query]
        assert min(again) == (
            datetime.fromisoformat(reached["to"]) - timedelta(seconds=300)
        ).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert set(known.checkpoint("ncmec/industry")) == {"to"}
    # The list was as complete as its last window, not as the day it was read.
    assert known.refreshed[0] is not None
    assert known.refreshed[0] < known.refreshed[-1] == exchange.now  # type: ignore[operator]
    assert known.snapshots == [None] * len(known.snapshots)


def test_windows_hold_about_as_many_as_they_may(exchange: Exchange) -> None:
    many(exchange, 300, days=3000)
    exchange.page_size = 10
    sizes = []
    with client_of("ncmec", exchange, max_window_entries=40) as client:
        checkpoint: dict[str, object] = {}
        while True:
            fetch = client.fetch(checkpoint)
            sizes.append(len(list(fetch)))
            checkpoint = fetch.checkpoint
            if not fetch.more:
                break
    assert max(sizes) <= 40
    assert sum(sizes) >= 300
    assert len(sizes) < 40


def test_a_window_that_cannot_be_cut_is_read_whole(exchange: Exchange) -> None:
    for number in range(50):
        exchange.put(f"e{number}")  # All in one second.
    exchange.pass_time(5000)
    known = MemoryList()
    with client_of("ncmec", exchange, max_window_entries=5) as client:
        sync(client, known, by="test")
    assert held(known.records()) == exchange.alive()


def test_beyond_what_is_settled_the_rest_is_read_in_one_go(exchange: Exchange) -> None:
    """There the checkpoint does not move: window after window would begin at the same place."""
    exchange.date_off_s = None  # So a day is not settled.
    for number in range(100):
        exchange.put(f"e{number}", ago_s=number * 600)
    exchange.page_size = 10
    known = MemoryList()
    with client_of("ncmec", exchange, max_window_entries=20) as client:
        sync(client, known, by="test")
    assert held(known.records()) == exchange.alive()
    assert known.checkpoint("ncmec/industry") == {"to": "2026-02-28T12:00:00Z"}


def test_everything_is_one_snapshot_of_many_windows(exchange: Exchange) -> None:
    many(exchange, 60, days=900)
    exchange.page_size = 10
    known = MemoryList()
    with client_of("ncmec", exchange, max_window_entries=20) as client:
        report = sync(client, known, by="test", full=True)
    assert len(report.commits) == 1
    assert known.snapshots == ["ncmec/industry"]
    assert held(known.records()) == exchange.alive()
    assert len(windows(exchange)) > 3


def test_a_clock_that_went_back_does_not_stop_it(exchange: Exchange) -> None:
    exchange.put("one")
    known = MemoryList()
    known.checkpoints["ncmec/industry"] = {"to": "2031-01-01T00:00:00Z"}
    with client_of("ncmec", exchange) as client:
        sync(client, known, by="test")
    assert known.checkpoint("ncmec/industry") == {"to": "2026-03-01T11:55:00Z"}
    assert held(known.records()) == exchange.alive()


@pytest.mark.parametrize(
    "checkpoint", [{"to": "2026-01-01T00:00:00"}, {"to": 7.5e300}, {"other": 1}, {"to": None}]
)
def test_a_checkpoint_of_somebody_else(exchange: Exchange, checkpoint: dict[str, object]) -> None:
    with (
        client_of("ncmec", exchange) as client,
        pytest.raises(ExchangeError, match="checkpoint: to: expected a time"),
    ):
        client.fetch(checkpoint)


def test_half_a_page_is_asked_for_again_and_then_refused(exchange: Exchange) -> None:
    for number in range(6):
        exchange.put(f"e{number}")
    exchange.faults.extend(["half-page", "half-page", "", "half-page", "half-page", "half-page"])
    known = MemoryList()
    with client_of("ncmec", exchange) as client:
        with pytest.raises(ExchangeProtocolError, match="expected the 3 entries"):
            sync(client, known, by="test")
        assert not known.kept
        sync(client, known, by="test")
    assert held(known.records()) == exchange.alive()


def test_environments_do_not_mix(exchange: Exchange) -> None:
    exchange.put("one")
    known = MemoryList()
    for name in ("industry", "test-industry"):
        with client_of("ncmec", exchange, environment=name) as client:
            sync(client, known, by="test", full=True)
    assert {record.source for record in known.records()} == {
        "ncmec/industry/42",
        "ncmec/test-industry/42",
    }
    with pytest.raises(ValueError, match="without a slash"):
        client_of("ncmec", exchange, environment="a/b")


def test_members_reasons_and_feedback(exchange: Exchange) -> None:
    with client_of("ncmec", exchange) as client:
        assert isinstance(client, NcmecClient)
        assert client.status().member.member_id == "7"
        assert [one.name for one in client.members()] == ["Example", "Take It Down"]
        (reason,) = client.feedback_reasons("MD5")
        assert (reason.guid, reason.name) == ("01234567-abcd", "Wrong")
        exchange.faults.extend(["503", "lost"])  # Putting it twice is as good as once.
        client.submit_feedback("42", "a b/c", "MD5", affirmative=False, reasons=[reason.guid])
    assert len(exchange.taken) == 2
    assert exchange.taken[0] == exchange.taken[1]
    assert "<guid>01234567-abcd</guid>" in exchange.taken[0]
    put = exchange.asked_for("/feedback")[-1]
    assert (put.method, put.headers["content-type"]) == ("PUT", "application/xml; charset=utf-8")
    assert put.path == "/hashsharing/v2/entries/42/a%20b%2Fc/MD5/feedback"


def test_credentials_are_needed() -> None:
    with pytest.raises(ExchangeError, match="expected user and password, password is missing"):
        NcmecClient("https://ncmec.invalid", Credentials({"user": "me"}))
