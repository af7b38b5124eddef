"""Requests to one exchange: retried, bounded, and silent about secrets.

Built on httpx with its defaults: certificates are verified, and proxies are taken from the
environment (``HTTPS_PROXY``, ``NO_PROXY`` and so on). httpx's exceptions never leave:
they carry the request with its headers.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar
from urllib.parse import unquote

import httpx

from fingerprint.errors import (
    ExchangeAuthError,
    ExchangeError,
    ExchangeProtocolError,
    ListFormatError,
)
from fingerprint.lists.exchange.credentials import Credentials
from fingerprint.lists.exchange.retrying import Retry, http_date, random_share, retry_after_s

__all__ = ["Answer", "Transport", "TransportOptions"]

T = TypeVar("T")

MAX_NBYTES = 256 << 20
"""Of one answer, unpacked. A page of a thousand entries is a few MiB."""

MOST_HOPS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}
_NOT_TAKEN = frozenset({425, 429})  # Refused before anything was done.


class TransportOptions(TypedDict, total=False):
    """How a client reaches its exchange; every client takes these.

    ``timeout_s`` is for each step of a request (connecting, a piece of the answer);
    ``longest_request_s`` for all of it. ``transport`` is an ``httpx.BaseTransport``,
    for proxies or tests. ``allow_http`` lets credentials go out unencrypted to hosts other than
    this one.
    """

    timeout_s: float
    longest_request_s: float
    retry: Retry
    allow_http: bool
    max_nbytes: int
    transport: httpx.BaseTransport | None
    sleep: Callable[[float], object]
    clock: Callable[[], datetime]
    share: Callable[[], float]


class Answer(NamedTuple, Generic[T]):
    """What an answer was read as, and when the exchange's clock says it was sent."""

    value: T
    date: datetime | None


class _Failure(NamedTuple):
    reason: str
    error: type[ExchangeError] = ExchangeError
    again: bool = False
    taken: bool = True  # Whether the exchange may have acted on the request.
    asked_s: float | None = None
    malformed: bool = False


class _Body(NamedTuple):
    content: bytes
    date: datetime | None


class _Elsewhere(NamedTuple):
    url: httpx.URL


def _user_agent() -> str:
    try:
        return f"fingerprint/{version('fingerprint')}"
    except PackageNotFoundError:
        return "fingerprint"


def _is_this_host(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _base(name: str, base_url: str, allow_http: bool) -> httpx.URL:
    try:
        url = httpx.URL(base_url.rstrip("/"))
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{name}: base_url: expected https://…")
    if url.userinfo or url.query or url.fragment:
        raise ValueError(f"{name}: base_url: expected no user, query or fragment in it")
    if url.scheme == "http" and not allow_http and not _is_this_host(url.host):
        raise ValueError(
            f"{name}: base_url: expected https, since http shows credentials to everybody on "
            "the way; allow_http=True takes it all the same"
        )
    return url


class Transport:
    """Requests to one exchange; see `TransportOptions`.

    Parameters
    ----------
    name : str
        What messages call the exchange.
    base_url : str
        Of the exchange; no request goes to another host.
    credentials : Credentials
        That no message may hold.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        credentials: Credentials,
        *,
        timeout_s: float = 30.0,
        longest_request_s: float = 600.0,
        retry: Retry | None = None,
        allow_http: bool = False,
        max_nbytes: int = MAX_NBYTES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], datetime] | None = None,
        share: Callable[[], float] = random_share,
    ) -> None:
        self.name = name
        self.base = _base(name, base_url, allow_http)
        self.now = clock or (lambda: datetime.now(UTC))
        self._credentials = credentials
        self._retry = retry or Retry()
        self._timeout_s = timeout_s
        self._longest_request_s = longest_request_s
        self._max_nbytes = max_nbytes
        self._sleep = sleep
        self._share = share
        self._client = httpx.Client(
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,
            headers={"User-Agent": _user_agent(), "Accept-Encoding": "gzip"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def url(self, path: str, params: Mapping[str, str] | None = None) -> httpx.URL:
        """Return the address of a path below the base."""
        url = self.base.copy_with(path=f"{self.base.path.rstrip('/')}/{path.lstrip('/')}")
        return url.copy_merge_params(params) if params else url

    def resolve(self, link: str) -> httpx.URL:
        """Return the address that an answer names; ExchangeProtocolError when it is elsewhere.

        A path stands below the base, as NCMEC's do, unless it begins with the base's own.
        """
        found = None
        try:
            if link.startswith("/") and not link.startswith("//"):
                below = self.base.path.rstrip("/")
                whole = link if below and link.startswith(f"{below}/") else below + link
                found = httpx.URL(f"{self.base.scheme}://{self.base.netloc.decode()}{whole}")
            else:
                found = self.base.join(link)
        except (httpx.InvalidURL, ValueError):
            found = None
        if found is None or not self._is_ours(found):
            host = unquote(found.host) if found is not None else "no address"
            message = f"{self.name}: a link leads to {host}: expected {self.base.host}"
            raise ExchangeProtocolError(self._credentials.hidden(message))
        return found

    def _is_ours(self, url: httpx.URL) -> bool:
        ours = self.base.scheme, self.base.host, self.base.port
        return (url.scheme, url.host, url.port) == ours and not url.userinfo

    def get(
        self,
        label: str,
        url: httpx.URL,
        read: Callable[[bytes], T],
        *,
        headers: Mapping[str, str],
    ) -> Answer[T]:
        """Get an answer and read it; what ``read`` refuses is asked for again."""
        return self._request(label, "GET", url, read, headers, None, repeatable=True)

    def send(
        self,
        label: str,
        method: str,
        url: httpx.URL,
        content: bytes,
        *,
        headers: Mapping[str, str],
        repeatable: bool,
        read: Callable[[bytes], T],
    ) -> Answer[T]:
        """Send something.

        ``repeatable``: twice is as good as once. If not, it is repeated only where the exchange
        cannot have acted on it, and the error says when that is not known.
        """
        return self._request(label, method, url, read, headers, content, repeatable=repeatable)

    def _request(
        self,
        label: str,
        method: str,
        url: httpx.URL,
        read: Callable[[bytes], T],
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        repeatable: bool,
    ) -> Answer[T]:
        waited_s, malformed, attempt = 0.0, 0, 0
        while True:
            attempt += 1
            found = self._followed(method, url, headers, content)
            failure = found if isinstance(found, _Failure) else None
            if isinstance(found, _Body):
                try:
                    return Answer(read(found.content), found.date)
                except ListFormatError as error:
                    reason = f"its answer cannot be read: {error}"
                failure = _Failure(reason, ExchangeProtocolError, again=True, malformed=True)
            if failure is None:
                raise ExchangeProtocolError(f"{self.name}: {label}: redirected too often")
            malformed += failure.malformed
            unsure = failure.again and failure.taken and not repeatable
            wait_s = self._retry.wait_s(attempt, failure.asked_s, self._share)
            if (
                unsure
                or not failure.again
                or attempt >= self._retry.attempts
                or malformed >= self._retry.malformed_attempts
                or waited_s + wait_s > self._retry.total_wait_s
            ):
                self._fail(label, failure, attempt, unsure=unsure)
            self._sleep(wait_s)
            waited_s += wait_s

    def _fail(self, label: str, failure: _Failure, attempts: int, *, unsure: bool) -> None:
        message = f"{self.name}: {label}: {failure.reason}"
        if failure.asked_s is not None:
            message += f", asking to wait {failure.asked_s:.0f} s"
        if attempts > 1:
            message += f"; tried {attempts} times"
        if unsure:
            message += "; whether it took what was sent is not known"
        raise failure.error(self._credentials.hidden(message))

    def _followed(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
    ) -> _Body | _Failure | _Elsewhere:
        found: _Body | _Failure | _Elsewhere = _Elsewhere(url)
        for _ in range(MOST_HOPS + 1):
            if not isinstance(found, _Elsewhere):
                break
            found = self._attempt(method, found.url, headers, content)
        return found

    def _attempt(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
    ) -> _Body | _Failure | _Elsewhere:
        """Ask once. No text of httpx's errors is used: it may quote a header."""
        started = time.monotonic()
        try:
            with self._client.stream(method, url, headers=headers, content=content) as response:
                return self._judged(method, response) or self._body(response, started)
        except (httpx.ConnectError, httpx.ProxyError) as error:
            if _is_untrusted(error):
                return _Failure("its certificate is not trusted")
            return _Failure("cannot be reached", again=True, taken=False)
        except (httpx.ConnectTimeout, httpx.PoolTimeout):
            return _Failure("cannot be reached in time", again=True, taken=False)
        except httpx.TimeoutException:
            return _Failure(f"sent nothing for {self._timeout_s:g} s", again=True)
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            return _Failure(f"cannot be asked like this ({type(error).__name__})")
        except httpx.TransportError as error:
            return _Failure(f"broke off ({type(error).__name__})", again=True)

    def _judged(self, method: str, response: httpx.Response) -> _Failure | _Elsewhere | None:
        """Return what is wrong with an answer's first lines."""
        status = response.status_code
        if status in _REDIRECTS:
            return self._redirected(method, response)
        if status in (401, 403):
            return _Failure(f"answered {_phrase(status)}", ExchangeAuthError)
        if status in _AGAIN:
            date = http_date(response.headers.get("Date"))
            asked_s = retry_after_s(response.headers.get("Retry-After"), date, self.now())
            return _Failure(
                f"answered {_phrase(status)}",
                again=True,
                taken=status not in _NOT_TAKEN,
                asked_s=asked_s,
            )
        if not 200 <= status < 300 or (method == "GET" and status != 200):
            error = ExchangeError if 400 <= status < 600 else ExchangeProtocolError
            return _Failure(f"answered {_phrase(status)}", error)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if method == "GET" and kind in ("text/html", "application/xhtml+xml"):
            return _Failure(
                "answered with a web page", ExchangeProtocolError, again=True, malformed=True
            )
        return None

    def _redirected(self, method: str, response: httpx.Response) -> _Failure | _Elsewhere:
        if method != "GET":
            return _Failure(f"answered {_phrase(response.status_code)}", ExchangeProtocolError)
        try:
            url = response.url.join(response.headers.get("Location", ""))
        except (httpx.InvalidURL, ValueError):
            return _Failure("redirects to no address", ExchangeProtocolError)
        if not self._is_ours(url):
            return _Failure(
                f"redirects to {url.scheme}://{unquote(url.host)}: credentials are not sent there",
                ExchangeProtocolError,
            )
        if self._credentials.hidden(text := unquote(str(url))) != text:  # httpx logs addresses.
            return _Failure("redirects to an address with a secret in it", ExchangeProtocolError)
        return _Elsewhere(url)

    def _body(self, response: httpx.Response, started: float) -> _Body | _Failure:
        """Return the content, unpacked here: httpx unpacks whatever it gets, to any size."""
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in ("identity", "", "gzip", "x-gzip"):
            packing = self._credentials.hidden(packing)[:20]
            return _Failure(f"answered packed as {packing!r}", ExchangeProtocolError)
        unpacker = zlib.decompressobj(31) if "gzip" in packing else None
        content = bytearray()
        for piece in response.iter_raw():
            if time.monotonic() - started > self._longest_request_s:
                return _Failure(
                    f"had not answered whole after {self._longest_request_s:g} s", again=True
                )
            room = self._max_nbytes - len(content) + 1
            try:
                content += unpacker.decompress(piece, room) if unpacker else piece[:room]
            except zlib.error:
                return _Failure("answered with broken gzip", again=True)
            if len(content) > self._max_nbytes:
                return _Failure(
                    f"answered with more than {self._max_nbytes:,} bytes", ExchangeProtocolError
                )
        if unpacker and not unpacker.eof:
            return _Failure("answered with half of a gzip", again=True)
        return _Body(bytes(content), http_date(response.headers.get("Date")))


def _phrase(status: int) -> str:
    """Return a status with the standard's words; the other side's could quote anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _is_untrusted(error: BaseException | None) -> bool:
    seen: list[Any] = []
    while error is not None and error not in seen:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        seen.append(error)
        error = error.__cause__ or error.__context__
    return False
