"""Places on the web that hold files: questions to their servers, and what the answers mean.

What is no file, such as an expired link or one with a password, may be answered by 404, by 401, or by a
page with status 200.

Only the server that was asked for is spoken to, and others that the configuration names, and none of them
without encryption after one with it.
"""

from __future__ import annotations

import email.utils
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from e2e import __version__
from e2e.errors import E2EError

TIMEOUT = (15, 60)  # seconds to connect, and between two bytes
SLOWEST = 1000.0  # bytes a second, on average over each WINDOW
WINDOW = 60.0  # seconds
ATTEMPTS = 5  # in a row that bring nothing new
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds before the second attempt; doubled each time
LONGEST_WAIT = 600.0  # seconds that a server may ask for
REDIRECTS = 5
LISTING_BYTES = 16 * 2**20  # of a list of files, of which CERNBox takes some 500 for each

LOGIN_PAGE = re.compile(
    rb"<input[^>]+type\s*=\s*[\"']?password|/oauth2?/authori[sz]e|SAMLRequest", re.IGNORECASE
)
LOGIN_PLACE = re.compile(r"\b(auth|login|logon|signin|sign-in|sso|saml)\b", re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True)
class Remote:
    """A file on a server: name, addresses to try in turn, and size [bytes] and entity tag where listed."""

    name: str
    addresses: tuple[str, ...]
    size: int | None = None
    etag: str = ""


@dataclass(frozen=True)
class Question:
    """How a server is asked what is in a folder: HTTP method, headers, body, and the status of an answer."""

    method: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None


class Place(ABC):
    """Somewhere on the web that holds files: ``url`` is on its server, which may send us to ``hosts``.

    A kind of server is a class of this: where its files are, and how it lists them.
    """

    url: str
    hosts: tuple[str, ...]
    question: ClassVar[Question]

    @property
    @abstractmethod
    def key(self) -> str:
        """What the configuration and the data lock call it."""

    @abstractmethod
    def file(self, path: str) -> str:
        """Address of a file or folder (``""``: the shared one)."""

    @abstractmethod
    def read(self, folder: str, answered: bytes, url: str) -> Iterator[Remote]:
        """The files in ``folder`` that an answer from ``url`` to ``question`` lists.

        Raises ValueError, or ElementTree.ParseError, for what is no such answer.
        """

    def unlisted(self, file: str) -> tuple[str, ...]:
        """Addresses of a file to try in turn where the server lists nothing."""
        return (self.file(file),)

    def is_refusal(self, response: requests.Response, body: bytes) -> bool:
        """Whether a response to ``question`` says that nobody may see the list."""
        return response.status_code != self.question.status

    def listing(self, opened: requests.Session, folder: str) -> list[Remote] | E2EError:
        """The files in a folder, by name, or why the server does not list it; raises as ``answer`` does."""
        wanted, asked = "the list of files", self.question

        def ask() -> list[Remote] | E2EError:
            address = self.file(f"{folder}/" if folder else "")
            with answer(opened, self, asked.method, address, asked.headers, data=asked.body) as response:
                body = contents(response, self, wanted)
                refusal = self.refused(response, body, wanted)
                if response.status_code in (404, 405, 501):
                    return refusal
                if self.is_refusal(response, body):
                    raise refusal
                try:
                    found = self.read(folder, body, response.url)
                    return sorted(found, key=lambda remote: remote.name)
                except (ElementTree.ParseError, ValueError) as error:
                    raise E2EError(f"{self}: {wanted} cannot be read ({error}); try again later") from None

        return persistently(self, ask)

    def allows(self, before: str, after: str) -> bool:
        """Whether a server may send a request from one address on to another."""
        hosts = {urlsplit(self.url).netloc.lower(), *map(str.lower, self.hosts)}
        secure = urlsplit(after).scheme == "https" or urlsplit(before).scheme == "http"
        return (
            secure and urlsplit(after).scheme in ("http", "https") and urlsplit(after).netloc.lower() in hosts
        )

    def refused(self, response: requests.Response, body: bytes, wanted: str) -> E2EError:
        """What a response means that is not ``wanted``, and will not become it."""
        host = urlsplit(response.url).hostname
        status = f"{response.status_code} {response.reason}"
        if response.status_code in (404, 410):
            return E2EError(
                f"{self}: nothing there ({status}): the link has expired, or its token or the file's name is "
                "wrong; ask its owner for a new link, and put its token into the configuration"
            )
        if is_login(response, body):
            return E2EError(
                f"{self}: {host} wants a login ({status}) before it gives {wanted}; ask the owner for a "
                "public link without a password"
            )
        if onwards := _sent_to(response):
            return E2EError(
                f"{self}: {host} sends us on to {onwards!r} for {wanted}, which is another server, or not "
                "encrypted; if you trust that server, name it under `hosts` in the configuration"
            )
        if is_page(response, body):
            return E2EError(
                f"{self}: {host} sent an HTML page ({status}) instead of {wanted}: the link has expired, or "
                "leads elsewhere; open it in a browser, and ask its owner for a new one"
            )
        return E2EError(
            f"{self}: {host} answered {status} instead of {wanted}; open the link in a browser, or try again "
            "later"
        )


class Interrupted(Exception):
    """Something failed that may work later, at the earliest in ``wait`` seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def persistently(place: Place, action: Callable[[], T], position: Callable[[], int] = int) -> T:
    """The result of ``action``, which is repeated, after ever longer pauses, when it was ``Interrupted``.

    Raises E2EError after ``ATTEMPTS`` failures without ``position`` getting further than ever before.
    """
    failures, furthest = 0, position()

    def count(_: RetryCallState) -> None:
        nonlocal failures, furthest
        failures = 1 if position() > furthest else failures + 1
        furthest = max(furthest, position())

    def pause(state: RetryCallState) -> float:
        error = state.outcome and state.outcome.exception()
        asked_for = error.wait if isinstance(error, Interrupted) else 0.0
        return max(asked_for, min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY))

    attempts = Retrying(
        retry=retry_if_exception_type(Interrupted),
        after=count,
        stop=lambda _: failures == ATTEMPTS,
        wait=pause,
        reraise=True,
    )
    try:
        return attempts(action)
    except Interrupted as interruption:
        where, resumed = (f" at byte {furthest}", ": it goes on from there") if furthest else ("", "")
        raise E2EError(
            f"{place}: {interruption}{where}, {failures} times in a row; check the network, or try "
            f"again later{resumed}"
        ) from None


class _Session(requests.Session):
    """Never looks at where a response sends it: that would also read the whole body, however long it is."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def session() -> requests.Session:
    """A session that says who asks, and takes files as they are, uncompressed."""
    found = _Session()
    # A compressed body has another length than the file, and no ranges of it
    found.headers.update({"User-Agent": f"e2e/{__version__}", "Accept-Encoding": "identity"})
    return found


@contextmanager
def answer(
    session: requests.Session,
    place: Place,
    method: str,
    address: str,
    headers: Mapping[str, str],
    **options: Any,
) -> Iterator[requests.Response]:
    """The response to a request, its body unread, whatever its status, unless the server is busy or broken.

    It may be a redirection, where it leads to an address that ``place`` does not allow. Raises Interrupted
    if the server is busy or broken and when the connection fails, also while the response is read in the
    block; E2EError where it cannot succeed.
    """
    host = urlsplit(address).hostname
    options |= {"headers": headers, "timeout": TIMEOUT, "stream": True}
    try:
        for sent in range(REDIRECTS + 1):
            response = session.request(method, address, **options)
            onwards = _sent_to(response)
            leads = onwards and not LOGIN_PLACE.search(onwards) and place.allows(address, onwards)
            if sent == REDIRECTS or not leads:
                break
            response.close()
            address = onwards
        with response:
            if response.status_code in (408, 425, 429, 500, 502, 503, 504):
                wait = _retry_after(response.headers.get("Retry-After", ""))
                raise Interrupted(f"{host} answered {response.status_code} {response.reason}", wait)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise E2EError(
                    f"{place}: {host} packs what it sends although asked not to; fetch it in another way"
                )
            yield response
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, requests.exceptions.SSLError):
            raise E2EError(f"{place}: {host} has no certificate that is trusted here ({error})") from None
        if isinstance(error, ValueError):  # what requests calls an invalid URL or scheme
            raise E2EError(f"{place}: not an address ({error}); correct `url` in the configuration") from None
        if "NameResolutionError" in repr(error):
            raise E2EError(
                f"{place}: the name {host} cannot be resolved; check that this machine is online"
            ) from None
        late = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
        reason = "no answer in time" if late else "the connection failed"
        raise Interrupted(f"{host}: {reason}") from None


def _retry_after(value: str) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date, within reason."""
    if value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0.0
    return min(max(moment - time.time(), 0.0), LONGEST_WAIT)


def _sent_to(response: requests.Response) -> str:
    """The address that a response sends us to; an empty string if it does not."""
    if response.status_code not in (301, 302, 303, 307, 308):
        return ""
    onwards = response.headers.get("Location", "")
    try:
        return urlsplit(urljoin(response.url, onwards)).geturl()
    except ValueError:
        return f"?{onwards}"  # no address at all


def blocks(response: requests.Response, size: int) -> Iterator[bytes]:
    """The body of a response in blocks of ``size`` bytes, and what is left.

    Raises Interrupted where it comes more slowly than ``SLOWEST`` bytes a second over ``WINDOW`` seconds.
    """
    block, arrived, since = bytearray(), 0, time.monotonic()
    while piece := response.raw.read1(size - len(block)):
        block += piece
        arrived += len(piece)
        if (passed := time.monotonic() - since) > WINDOW:
            if arrived < SLOWEST * passed:
                host = urlsplit(response.url).hostname
                raise Interrupted(f"{host} sends less than {SLOWEST:g} bytes a second")
            arrived, since = 0, time.monotonic()
        if len(block) == size:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def contents(response: requests.Response, place: Place, wanted: str) -> bytes:
    """The body of a response that is to be a list of files; raises E2EError for a larger one."""
    body = b""
    for block in blocks(response, 2**16):
        body += block
        if len(body) > LISTING_BYTES:
            raise E2EError(
                f"{place}: {wanted} has more than {LISTING_BYTES} bytes; name the `files` wanted in the "
                "configuration"
            )
    return body


def is_page(response: requests.Response, body: bytes) -> bool:
    """Whether a response whose body begins with ``body`` is HTML."""
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    start = body[:500].lstrip().lower()
    return kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html"))


def is_login(response: requests.Response, body: bytes) -> bool:
    """Whether a response whose body begins with ``body`` asks for a login, or sends us to one."""
    if response.status_code in (401, 403) or LOGIN_PLACE.search(_sent_to(response)):
        return True
    return bool(is_page(response, body) and (LOGIN_PAGE.search(body) or LOGIN_PLACE.search(response.url)))
