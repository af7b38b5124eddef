"""A local server that speaks what is documented of four exchanges, and misbehaves on command.

`Exchange.faults` is a queue; each request for a page takes one, and an empty string is none.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from tests.exchange_model import (
    FEEDBACK_KEY,
    FETCH_KEY,
    NAMESPACE,
    PASSWORD,
    SUBSCRIPTION,
    TOKEN,
    USER,
    Exchange,
    Page,
    Request,
)

EAST = timezone(timedelta(hours=5, minutes=30))

FAULTS = (
    "429",
    "429-after",
    "429-date",
    "500",
    "503",
    "drop",
    "cut",
    "cut-chunk",
    "half-page",
    "half-document",
    "html",
    "html-as-type",
    "wrong-type",
    "duplicate",
    "reorder",
    "change",
    "gzip",
    "gzip-cut",
    "zone",
    "no-date",
    "clock-behind",
    "clock-ahead",
    "redirect-here",
    "redirect-away",
    "next-away",
    "loop",
    "404",
    "403",
)


@dataclass
class _Answer:
    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    exchange: Exchange

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # The client went away, as the tests make it.
            self.close_connection = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k.lower(): v for k, v in self.headers.items()}
        request = Request(self.command, url.path, query, headers, body)
        self.exchange.requests.append(request)
        self._send(respond(self.exchange, request))

    def _send(self, answer: _Answer) -> None:
        fault, body = answer.fault, answer.body
        if fault == "slow":
            self.exchange.released.wait(20)
            fault = "drop"
        if fault == "drop":
            self.close_connection = True
            return
        headers = {"Content-Type": answer.kind, **answer.headers}
        if fault.startswith("gzip"):
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
            body = body[: len(body) // 2] if fault == "gzip-cut" else body
        sent = body[: len(body) // 2] if fault == "cut" else body
        self.send_response_only(answer.status)
        off_s = self.exchange.date_off_s
        if fault != "no-date" and off_s is not None:
            wrong_s = {"clock-behind": -7200, "clock-ahead": 7200}.get(fault, 0)
            date = self.exchange.now + timedelta(seconds=wrong_s + off_s)
            self.send_header("Date", format_datetime(date.replace(microsecond=0), usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        if fault == "cut-chunk":
            self.send_header("Transfer-Encoding", "chunked")
            sent = f"{len(body):x}\r\n".encode() + body + b"\r\n"  # And no last chunk.
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(sent)
        if fault in ("cut", "cut-chunk"):
            self.close_connection = True


def respond(exchange: Exchange, request: Request) -> _Answer:
    which, _, path = request.path.lstrip("/").partition("/")
    if which == "tcap" and path == "token-auth/tcap/":
        if parse_qs(request.body.decode()).get("password") != [PASSWORD]:
            return _Answer(400)
        token = f"jwt-{len(exchange.requests)}-{quote(USER)}"
        exchange.tokens = {token}
        return _Answer(body=json.dumps({"token": token}).encode())
    if not _is_known(exchange, which, path, request):
        return _Answer(401, b"who are you?")
    if which == "hashsharing" and path == "v2/status":
        status = '<member id="7">Us</member><username>us</username><ipAddress>::1</ipAddress>'
        return _xml(f'<status xmlns="{NAMESPACE}">{status}</status>')
    if request.method != "GET":
        return _taken(exchange, request)
    if which == "hashsharing" and path == "v2/members":
        members = '<member id="42">Example</member><member id="43">Take It Down</member>'
        return _xml(f'<members xmlns="{NAMESPACE}">{members}</members>')
    if which == "hashsharing" and path.startswith("v2/feedback/"):
        reason = '<reason guid="01234567-abcd" name="Wrong" type="MD5"/>'
        return _xml(
            f'<availableFeedbackReasons xmlns="{NAMESPACE}">{reason}</availableFeedbackReasons>'
        )
    ask = {
        "hashsharing": exchange.ncmec,
        "stopncii": exchange.stopncii,
        "graph": exchange.threatexchange,
        "tcap": exchange.tcap,
    }[which]
    return _page(exchange, request, ask)


def _page(exchange: Exchange, request: Request, ask: Callable[[dict[str, str]], Page]) -> _Answer:
    fault = exchange.faults.popleft() if exchange.faults else ""
    counted = ask in (exchange.ncmec, exchange.stopncii)
    early = _refusal(exchange, request, fault)
    if early is not None:
        return early
    if fault == "change":
        exchange.change_something()
    size = exchange.page_size
    if fault == "half-page" and not counted:  # Fewer than asked for, and a cursor that says so.
        exchange.page_size = max(1, size // 2)
    page = ask(request.query)
    exchange.page_size = size
    following = _linked(exchange, request, page, fault)
    entries = exchange.shown(page, fault if counted else fault.removeprefix("half-page"))
    count = len(page.entries) if fault == "half-page" else len(entries)
    body = page.render(entries, count, following)
    kind = page.kind
    if fault == "half-document":
        body = body[: len(body) // 2]
    elif fault == "html-as-type":
        body = b"<html><body>Sorry</body></html>"
    elif fault == "wrong-type":
        kind = "application/octet-stream"
    return _Answer(body=body, kind=kind, fault=fault)


def _linked(exchange: Exchange, request: Request, page: Page, fault: str) -> str | None:
    """Return what a page says of the next one."""
    following = page.next
    if following is None:
        return None
    is_link = following.startswith(("/", "http"))
    if fault == "next-away" and is_link:
        return f"https://elsewhere.invalid{urlsplit(following).path}?{USER}"
    if fault == "zone" and following.startswith("/v2"):
        return _in_the_east(following)
    if fault == "loop":
        exchange.tcap_reached = request.query.get("after", "")
        if is_link:
            return f"{request.path}?{urlencode(request.query)}"
        return request.query.get("nextPageToken") or following
    return following


def _refusal(exchange: Exchange, request: Request, fault: str) -> _Answer | None:
    if fault.startswith("429"):
        until = format_datetime(exchange.now + timedelta(seconds=9), usegmt=True)
        after = {"429-after": {"Retry-After": "7"}, "429-date": {"Retry-After": until}}
        return _Answer(429, headers=after.get(fault, {}))
    if fault in ("500", "503", "404", "403", "401", "408"):
        return _Answer(int(fault), b"no " + exchange.url.encode())
    if fault == "retry-never":
        return _Answer(503, headers={"Retry-After": "864000"})
    if fault == "html":
        return _Answer(200, b"<html>Maintenance</html>", "text/html; charset=utf-8")
    if fault == "redirect-away":
        return _Answer(302, headers={"Location": "https://elsewhere.invalid/login"})
    if fault == "redirect-here":
        return _Answer(307, headers={"Location": f"{request.path}?{urlencode(request.query)}"})
    if fault in ("drop", "slow"):
        return _Answer(fault=fault)
    return None


def _taken(exchange: Exchange, request: Request) -> _Answer:
    """Feedback: taken, unless a fault comes first; "lost" is taken and then dropped."""
    fault = exchange.faults.popleft() if exchange.faults else ""
    refused = _refusal(exchange, request, fault)
    if refused is not None:
        return refused
    exchange.taken.append(request.body.decode())
    return _Answer(fault="drop" if fault == "lost" else "")


def _is_known(exchange: Exchange, which: str, path: str, request: Request) -> bool:
    headers = request.headers
    given = headers.get("authorization", "")
    if which == "hashsharing":
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return given == f"Basic {basic}"
    if which == "stopncii":
        key = FEEDBACK_KEY if path.endswith("SubmitFeedback") else FETCH_KEY
        keys = headers.get("ocp-apim-subscription-key"), headers.get("x-functions-key")
        return keys == (SUBSCRIPTION, key)
    if which == "graph":
        return given == f"Bearer {TOKEN}"
    return given.removeprefix("Bearer ") in exchange.tokens


def _in_the_east(link: str) -> str:
    url = urlsplit(link)
    query = {k: v[0] for k, v in parse_qs(url.query).items()}
    for name in ("from", "to"):
        query[name] = datetime.fromisoformat(query[name]).astimezone(EAST).isoformat()
    return f"{url.path}?{urlencode(query)}"


def _xml(text: str) -> _Answer:
    return _Answer(body=text.encode(), kind="application/xml")


@contextmanager
def serving(exchange: Exchange) -> Iterator[Exchange]:
    """Serve an exchange on a port of this machine."""
    handler = type("Handler", (_Handler,), {"exchange": exchange})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    exchange.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        exchange.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
