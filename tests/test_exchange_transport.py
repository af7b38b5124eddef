"""Requests: what is tried again, what is refused, and that no secret is told to anybody."""

from __future__ import annotations

import gzip
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import (
    ExchangeAuthError,
    ExchangeError,
    ExchangeProtocolError,
    ListFormatError,
)
from fingerprint.lists.exchange import Retry, StopNciiClient, StopNciiFeedback, sync
from fingerprint.lists.exchange.retrying import http_date, random_share, retry_after_s
from fingerprint.lists.exchange.transport import Transport
from tests.exchange_clients import MemoryList, client_of, credentials
from tests.exchange_model import FETCH_KEY, PASSWORD, SUBSCRIPTION, TOKEN, Exchange
from tests.exchange_server import serving

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = (PASSWORD, TOKEN, FETCH_KEY, SUBSCRIPTION, "YW5hbHlzdDpjb3JyZWN0", "jwt-")
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as served:
        yield served


def transport_of(handler: Handler, waits: list[float] | None = None, **more: Any) -> Transport:
    options: dict[str, Any] = {
        "transport": httpx.MockTransport(handler),
        "sleep": ([] if waits is None else waits).append,
        "clock": lambda: NOW,
        "share": lambda: 1.0,
        **more,
    }
    return Transport("some exchange", "https://host.test/base", credentials(), **options)


def get(transport: Transport, read: Callable[[bytes], Any] = bytes) -> Any:
    return transport.get("page", transport.url("page"), read, headers={}).value


class Reply(NamedTuple):
    """An answer that comes in pieces, as httpx's own transports give them."""

    code: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed.

    def response(self) -> httpx.Response:
        given = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return httpx.Response(self.code, stream=httpx.ByteStream(self.body), headers=given)


def answers(*given: Reply) -> Handler:
    """Each in turn; the last for ever."""
    left = list(given)
    return lambda _: (left.pop(0) if len(left) > 1 else left[0]).response()


def status(code: int, **headers: str) -> Reply:
    return Reply(code, headers={k.replace("_", "-"): v for k, v in headers.items()})


def packed(data: bytes, kind: str = "gzip") -> Reply:
    return Reply(body=data, headers={"Content-Encoding": kind})


OK = Reply(body=b"fine")


def test_waits_double_and_are_bounded() -> None:
    waits: list[float] = []
    retry = Retry(attempts=9, first_wait_s=1, longest_wait_s=20, total_wait_s=1000)
    with pytest.raises(ExchangeError, match=r"page: answered 503 Service Unavailable; tried 9"):
        get(transport_of(answers(status(503)), waits, retry=retry))
    assert waits == [1, 2, 4, 8, 16, 20, 20, 20]


def test_all_waits_together_are_bounded() -> None:
    waits: list[float] = []
    with pytest.raises(ExchangeError):
        get(transport_of(answers(status(500)), waits, retry=Retry(attempts=99, total_wait_s=30)))
    assert sum(waits) <= 30


def test_half_of_a_wait_is_chance() -> None:
    retry = Retry()
    assert retry.wait_s(3, None, lambda: 0.0) == 2
    assert retry.wait_s(3, None, lambda: 1.0) == 4
    assert retry.wait_s(9, 70.0, lambda: 0.0) == 70
    assert all(0 <= random_share() <= 1 for _ in range(50))


@pytest.mark.parametrize(
    ("header", "date", "wait_s"),
    [
        ("7", "", 8),
        ("0", "", 1),
        ("Sun, 01 Mar 2026 12:00:30 GMT", "", 31),
        # Measured from the other side's clock, which is an hour behind.
        ("Sun, 01 Mar 2026 11:00:30 GMT", "Sun, 01 Mar 2026 11:00:00 GMT", 31),
        ("Sun, 01 Mar 2020 12:00:00 GMT", "", 1),
        ("-5", "", 1),
        ("soon", "", 1),
        ("٧", "", 1),
    ],
)
def test_retry_after(header: str, date: str, wait_s: float) -> None:
    waits: list[float] = []
    dated = {"Date": date} if date else {}
    busy = Reply(429, headers={"Retry-After": header, **dated})
    assert get(transport_of(answers(busy, OK), waits)) == b"fine"
    assert waits == [wait_s]


def test_retry_after_too_long_is_told_at_once() -> None:
    waits: list[float] = []
    with pytest.raises(ExchangeError, match="429 Too Many Requests, asking to wait 99999"):
        get(transport_of(answers(status(429, Retry_After="99999")), waits))
    assert waits == []


@given(st.text(max_size=40))
def test_any_date_is_a_time_or_none(text: str) -> None:
    found = http_date(text)
    assert found is None or found.tzinfo is not None
    waited = retry_after_s(text, found, NOW)
    assert waited is None or waited >= 0


@pytest.mark.parametrize(("code", "tries"), [(408, 2), (425, 2), (429, 2), (500, 2), (502, 2)])
def test_what_passes_is_tried_again(code: int, tries: int) -> None:
    waits: list[float] = []
    assert get(transport_of(answers(status(code), OK), waits)) == b"fine"
    assert len(waits) == tries - 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, ExchangeError),
        (401, ExchangeAuthError),
        (403, ExchangeAuthError),
        (404, ExchangeError),
        (410, ExchangeError),
        (501, ExchangeError),
        (204, ExchangeProtocolError),
        (206, ExchangeProtocolError),
        (304, ExchangeProtocolError),
        (299, ExchangeProtocolError),
    ],
)
def test_what_does_not_pass_is_not(code: int, error: type[ExchangeError]) -> None:
    waits: list[float] = []
    with pytest.raises(ExchangeError, match=f"answered {code}") as caught:
        get(transport_of(answers(status(code)), waits))
    assert type(caught.value) is error
    assert waits == []


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.test/base/page",
        "http://host.test/base/page",
        "https://host.test:444/base/page",
        "//elsewhere.test/",
        "https://me@host.test/base/page",
        "https://host.test.elsewhere.test/",
        "https://[",
    ],
)
def test_redirects_elsewhere_get_no_credentials(location: str) -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return status(302, Location=location).response()

    with pytest.raises(ExchangeProtocolError, match="redirects to"):
        get(transport_of(handler))
    assert seen == ["https://host.test/base/page"]


def test_redirects_on_the_same_host_are_followed_but_not_for_ever() -> None:
    assert get(transport_of(answers(status(301, Location="/x"), status(302, Location="y"), OK)))
    with pytest.raises(ExchangeProtocolError, match="redirected too often"):
        get(transport_of(answers(status(307, Location="/x"))))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/v2/entries?a=1", "https://host.test/base/v2/entries?a=1"),
        ("/base/v2/entries", "https://host.test/base/v2/entries"),
        ("/baseline", "https://host.test/base/baseline"),
        ("https://host.test/else", "https://host.test/else"),
        ("https://HOST.test:443/x", "https://host.test/x"),
    ],
)
def test_links(link: str, expected: str) -> None:
    assert str(transport_of(answers(OK)).resolve(link)) == expected


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.test/x",
        "//elsewhere.test/x",
        "http://host.test/x",
        "https://host.test@elsewhere.test/x",
        "https://user:word@host.test/x",
        "https://host.test:1/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://[::1",
        "/\x00",
    ],
)
def test_links_elsewhere_are_refused(link: str) -> None:
    with pytest.raises(ExchangeProtocolError, match="a link leads to"):
        transport_of(answers(OK)).resolve(link)


@given(st.text(max_size=60))
def test_no_link_leads_elsewhere(link: str) -> None:
    try:
        found = transport_of(answers(OK)).resolve(link)
    except ExchangeProtocolError:
        return
    assert (found.scheme, found.host, found.port, found.userinfo) == (
        "https",
        "host.test",
        None,
        b"",
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://host.test/x",
        "ftp://host.test",
        "host.test",
        "https://",
        "https://me:word@host.test",
        "https://host.test?x=1",
        "https://host.test#x",
        "http://127.0.0.1.host.test",
    ],
)
def test_addresses_that_are_not_taken(url: str) -> None:
    with pytest.raises(ValueError, match=r"base_url: expected") as caught:
        Transport("some", url, credentials())
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_machine_needs_no_https(host: str) -> None:
    Transport("some", f"http://{host}:8000/x", credentials()).close()
    Transport("some", "http://host.test", credentials(), allow_http=True).close()


def test_large_answers_are_refused_before_they_are_held() -> None:
    with pytest.raises(ExchangeProtocolError, match="more than 1,000 bytes"):
        get(transport_of(answers(Reply(body=b"x" * 1001)), max_nbytes=1000))
    bomb = gzip.compress(b"x" * 50_000_000)
    with pytest.raises(ExchangeProtocolError, match="more than 1,000,000 bytes"):
        get(transport_of(answers(packed(bomb)), max_nbytes=1_000_000))


def test_packed_answers() -> None:
    whole = gzip.compress(b"fine" * 100)
    assert get(transport_of(answers(packed(whole)))) == b"fine" * 100
    waits: list[float] = []
    assert get(transport_of(answers(packed(whole[:-4]), packed(b"what?"), OK), waits)) == b"fine"
    assert len(waits) == 2
    for kind in ("br", "zstd", "gzip, gzip", "deflate"):
        with pytest.raises(ExchangeProtocolError, match="packed as"):
            get(transport_of(answers(packed(whole, kind))))


def test_what_cannot_be_read_is_asked_for_again_a_few_times() -> None:
    waits: list[float] = []

    def read(body: bytes) -> bytes:
        if body != b"fine":
            raise ListFormatError("page", "expected fine")
        return body

    bad = Reply(body=b"bad")
    assert get(transport_of(answers(bad, bad, OK), waits), read) == b"fine"
    with pytest.raises(ExchangeProtocolError, match="cannot be read: page: expected fine; tried 3"):
        get(transport_of(answers(bad), waits), read)
    web = Reply(body=b"<html>Sorry</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(ExchangeProtocolError, match="with a web page; tried 3"):
        get(transport_of(answers(web)))


def test_connections_that_break() -> None:
    def broken(error: type[httpx.TransportError]) -> Handler:
        def handler(request: httpx.Request) -> httpx.Response:
            raise error(f"Authorization: {TOKEN}", request=request)

        return handler

    for error, words in (
        (httpx.ConnectError, "cannot be reached; tried 6"),
        (httpx.ConnectTimeout, "cannot be reached in time; tried 6"),
        (httpx.ReadTimeout, "sent nothing for 30 s; tried 6"),
        (httpx.RemoteProtocolError, "broke off"),
        (httpx.LocalProtocolError, "cannot be asked like this"),
    ):
        with pytest.raises(ExchangeError, match=words) as caught:
            get(transport_of(broken(error)))
        assert TOKEN not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_an_answer_that_drips_is_given_up() -> None:
    def drips() -> Iterator[bytes]:
        while True:
            yield b"x"

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=drips())

    with pytest.raises(ExchangeError, match=r"had not answered whole after 0.05 s; tried 2"):
        get(transport_of(handler, longest_request_s=0.05, retry=Retry(attempts=2)))


def test_silence_is_a_timeout(exchange: Exchange) -> None:
    exchange.put("one")
    exchange.faults.extend(["slow"])
    known = MemoryList()
    with client_of("stopncii", exchange, timeout_s=0.1) as client:
        sync(client, known, by="test")
    assert len(known.kept) == 1


def test_nobody_there() -> None:
    exchange = Exchange()
    with serving(exchange):
        pass
    with (
        client_of("tcap", exchange) as client,
        pytest.raises(ExchangeError, match="tcap all: token: cannot be reached; tried 5 times"),
    ):
        client.fetch({})


@pytest.mark.parametrize(
    ("fault", "times", "words"),
    [
        ("lost", 1, "whether it took what was sent is not known"),
        ("500", 0, "whether it took what was sent is not known"),
        ("429", 1, ""),
    ],
)
def test_what_is_not_repeatable_is_repeated_only_where_it_was_not_taken(
    exchange: Exchange, fault: str, times: int, words: str
) -> None:
    client = client_of("stopncii", exchange)
    assert isinstance(client, StopNciiClient)
    exchange.faults.append(fault)
    with client:
        if words:
            with pytest.raises(ExchangeError, match=words):
                client.submit_feedback([StopNciiFeedback("ab" * 32, "Blocked")])
        else:
            client.submit_feedback([StopNciiFeedback("ab" * 32, "Blocked")])
    assert len(exchange.taken) == times
