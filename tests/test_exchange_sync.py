"""Whatever an exchange does to its pages, a list ends as the exchange."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fingerprint.errors import ExchangeError, ExchangeProtocolError
from fingerprint.lists import HashList
from fingerprint.lists.exchange import sync
from tests.exchange_clients import EXCHANGES, MemoryList, client_of, held
from tests.exchange_model import Exchange
from tests.exchange_server import FAULTS, serving

# What may be seen only at the next reading: a clock that was wrong, an entry that changed.
SETTLES_S = 3600.0


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as served:
        yield served


def fill(exchange: Exchange, count: int) -> None:
    """Entries of the past weeks, in no order of time."""
    chance = random.Random(5)
    for number in range(count):
        exchange.put(f"entry{number}", chance.choice("ABC"), ago_s=chance.randrange(10**6))


@pytest.mark.parametrize("which", EXCHANGES)
def test_changes_and_withdrawals_arrive(which: str, exchange: Exchange) -> None:
    fill(exchange, 11)
    known = MemoryList()
    with client_of(which, exchange) as client:
        first = sync(client, known, by="test")
        assert held(known.records()) == exchange.alive()
        assert (first.added, first.retracted) == (11, 0)
        exchange.pass_time(5000)
        exchange.put("entry3", "changed")
        exchange.delete("entry4")
        exchange.put("late", "A1", ago_s=200)  # Dated before it could be seen.
        second = sync(client, known, by="test")
        assert held(known.records()) == exchange.alive()
        assert (second.added, second.updated, second.retracted) == (1, 1, 1)
        exchange.pass_time(5000)
        before = len(exchange.requests)
        third = sync(client, known, by="test")
        assert not third.changed
        assert len(exchange.requests) - before <= 2, "nothing new, and yet many pages"


@pytest.mark.parametrize("which", EXCHANGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_on_any_page(which: str, fault: str, exchange: Exchange) -> None:
    """Either it is got over, or it is told and the list is as it was; afterwards all is well."""
    fill(exchange, 8)
    known = MemoryList()
    with client_of(which, exchange) as client:
        for place in range(4):
            exchange.faults.extend([*[""] * place, fault])
            before = dict(known.kept), known.checkpoint(client.feed)
            try:
                sync(client, known, by="test")
            except ExchangeError:
                assert (known.kept, known.checkpoint(client.feed)) == before
            exchange.faults.clear()
            exchange.pass_time(SETTLES_S)
            sync(client, known, by="test")
            assert held(known.records()) == exchange.alive(), place
            exchange.pass_time(SETTLES_S)
            exchange.put(f"entry{place}", "again")
            exchange.put(f"more{place}")
            exchange.delete(f"entry{place + 4}")
            known.checkpoints.clear() if place % 2 else None


OVERCOME = {"429", "429-after", "429-date", "500", "503", "drop", "cut", "cut-chunk"}
OVERCOME |= {"half-page", "half-document", "html", "html-as-type", "wrong-type", "gzip", "gzip-cut"}
OVERCOME |= {"duplicate", "reorder", "zone", "no-date", "redirect-here", "change"}


@pytest.mark.parametrize("which", EXCHANGES)
def test_passing_faults_are_got_over_at_once(which: str, exchange: Exchange) -> None:
    assert set(FAULTS) >= OVERCOME
    fill(exchange, 7)
    with client_of(which, exchange) as client:
        for fault in sorted(OVERCOME):
            exchange.faults.extend(["", fault])
            known = MemoryList()
            sync(client, known, by="test")
            assert not exchange.faults, fault
            if fault != "change":
                assert held(known.records()) == exchange.alive(), fault


def ops() -> st.SearchStrategy[tuple[str, str]]:
    names = st.sampled_from([f"e{number}" for number in range(9)])
    return st.one_of(
        st.tuples(st.just("put"), names),
        st.tuples(st.just("late"), names),
        st.tuples(st.just("delete"), names),
        st.tuples(st.just("wait"), st.sampled_from(["1", "60", "4000", "90000"])),
        st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
        st.tuples(st.just("sync"), st.just("")),
        st.tuples(st.just("forget"), st.just("")),
    )


@pytest.mark.parametrize("which", EXCHANGES)
def test_any_schedule_ends_as_the_exchange(which: str) -> None:
    with serving(Exchange()) as served:

        @settings(max_examples=100)
        @given(
            st.lists(ops(), max_size=30),
            st.sampled_from(
                [(0, 0), (-5000, 0), (5000, 0), (0, -5000), (0, 5000), (0, None), (5000, None)]
            ),
            st.integers(0, 9),
        )
        @example([("put", "e1"), ("sync", ""), ("wait", "60"), ("put", "e2")], (5000, 0), 0)
        @example([("put", "e1"), ("sync", ""), ("wait", "60"), ("put", "e2")], (0, 5000), 0)
        @example([("put", "e1"), ("sync", ""), ("wait", "60"), ("put", "e2")], (5000, None), 0)
        @example([("put", "e1"), ("sync", ""), ("wait", "60"), ("late", "e2")], (0, 0), 0)
        @example(
            [*[("put", f"e{one}") for one in range(9)], *[("fault", "change")] * 4, ("sync", "")],
            (0, 0),
            1,
        )
        def run(
            schedule: list[tuple[str, str]], clocks: tuple[float, float | None], seed: int
        ) -> None:
            """One of the clocks, here or there, may be wrong, or the other not told."""
            served.__init__(seed)  # type: ignore[misc]
            skew_s, served.date_off_s = clocks
            served.url = url
            known = MemoryList()
            with client_of(which, served, skew_s=skew_s) as client:
                for action, what in schedule:
                    if action == "put":
                        served.put(what, served.random.choice("ABCD"))
                    elif action == "late":  # Dated before anybody could see it.
                        served.put(what, served.random.choice("ABCD"), ago_s=250)
                    elif action == "delete" and what in served.entries:
                        served.delete(what)
                    elif action == "wait":
                        served.pass_time(float(what))
                    elif action == "fault":
                        served.faults.append(what)
                    elif action == "forget":
                        known.checkpoints.clear()
                    elif action == "sync":
                        before = dict(known.kept)
                        try:
                            sync(client, known, by="test")
                        except ExchangeError:
                            assert known.kept == before
                served.faults.clear()
                served.pass_time(2 * SETTLES_S)
                sync(client, known, by="test")
                assert held(known.records()) == served.alive()

        url = served.url
        run()


@pytest.mark.parametrize("which", EXCHANGES)
def test_a_list_on_disk(which: str, exchange: Exchange, tmp_path: Path) -> None:
    fill(exchange, 9)
    with (
        HashList.create(tmp_path / "list") as known,
        client_of(which, exchange) as client,
    ):
        assert sync(client, known, by="test").version == 1
        assert held(known.records()) == exchange.alive()
        digest, checkpoint = known.digest, known.checkpoint(client.feed)
        exchange.pass_time(4000)
        exchange.delete("entry1")
        exchange.put("entry2", "changed")
        exchange.faults.extend(["", "404"])
        exchange.page_size = 1
        with pytest.raises(ExchangeError, match="404 Not Found"):
            sync(client, known, by="test")
        assert (known.digest, known.checkpoint(client.feed)) == (digest, checkpoint)
        exchange.page_size = 3
        report = sync(client, known, by="test")
        assert held(known.records()) == exchange.alive()
        assert (report.updated, report.retracted, report.version) == (1, 1, 2)
        assert [one.name for one in known.feeds()] == [client.feed]
        assert not known.stale_reasons(now=exchange.now)


@pytest.mark.parametrize("which", EXCHANGES)
def test_everything_again_finds_what_was_never_withdrawn(which: str, exchange: Exchange) -> None:
    fill(exchange, 13)
    known = MemoryList()
    with client_of(which, exchange) as client:
        sync(client, known, by="test")
        for number in range(4):
            del exchange.entries[f"entry{number}"]
        exchange.pass_time(4000)
        sync(client, known, by="test")
        assert len(known.kept) == 13
        report = sync(client, known, by="test", full=True)
        assert report.retracted == 4
        assert held(known.records()) == exchange.alive()
        assert known.snapshots[-1] == client.source


@pytest.mark.parametrize("which", EXCHANGES)
@pytest.mark.parametrize("fault", ["loop", "next-away"])
def test_paging_that_leads_nowhere(which: str, fault: str, exchange: Exchange) -> None:
    fill(exchange, 10)
    exchange.faults.extend([fault] * 50)
    known = MemoryList()
    with client_of(which, exchange) as client:
        if fault == "next-away" and which in ("stopncii", "tcap"):  # They follow no link.
            sync(client, known, by="test")
            assert held(known.records()) == exchange.alive()
            return
        with pytest.raises(ExchangeProtocolError, match=r"circles|leads to|expected a checkpoint"):
            sync(client, known, by="test")
    assert not known.kept


def test_paging_without_an_end(exchange: Exchange) -> None:
    fill(exchange, 40)
    exchange.page_size = 1
    with (
        client_of("stopncii", exchange, max_pages=20, check_counts=False) as client,
        pytest.raises(ExchangeProtocolError, match="not ended after 20 pages"),
    ):
        sync(client, MemoryList(), by="test")


def test_progress_counts_entries(exchange: Exchange) -> None:
    fill(exchange, 7)
    seen: list[int] = []
    with client_of("ncmec", exchange) as client:
        sync(client, MemoryList(), by="test", progress=seen.append)
    assert seen == [3, 6, 7]


def test_a_fetch_is_read_once_and_to_its_end(exchange: Exchange) -> None:
    fill(exchange, 5)
    with client_of("tcap", exchange) as client:
        fetch = client.fetch({})
        reading = iter(fetch)
        next(reading)
        with pytest.raises(ExchangeError, match="before it was read to its end"):
            _ = fetch.checkpoint
        assert len(list(reading)) == 4
        assert set(fetch.checkpoint) == {"after"}
        with pytest.raises(ExchangeError, match="once"):
            list(fetch)
