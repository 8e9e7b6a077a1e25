"""Where public files are: their addresses, questions to the servers, and what the answers mean.

A CERNBox link ``<url>/s/<token>`` shows a web page. Its files are behind the WebDAV endpoint
``/remote.php/dav/public-files/<token>/``, a single shared file also behind
``/index.php/s/<token>/download``. What is no file, such as an expired link or one with a password, may be
answered by 404, by 401, or by a page with status 200. A folder of any other server on the web has a page
that lists its files.

Only the server that was asked for is spoken to, and others that the configuration names, and none of them
without encryption after one with it.
"""

from __future__ import annotations

import email.utils
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3

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


class Place(ABC):
    """Somewhere on the web that holds files: ``url`` is on its server, which may send us to ``hosts``."""

    url: str
    hosts: tuple[str, ...]

    @abstractmethod
    def file(self, path: str) -> str:
        """Address of a file or folder (``""``: the shared one)."""

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
        if place := _sent_to(response):
            return E2EError(
                f"{self}: {host} sends us on to {place!r} for {wanted}, which is another server, or not "
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


@dataclass(frozen=True)
class Link(Place):
    """A public link by its token, on the CERNBox server at ``url``."""

    token: str
    url: str
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self._base}/s/{self.token}"

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def file(self, path: str) -> str:
        return f"{self._base}/remote.php/dav/public-files/{quote(self.token, safe='')}/{quote(path)}"

    @property
    def download(self) -> str:
        """Address of a single shared file."""
        return f"{self._base}/index.php/s/{quote(self.token, safe='')}/download"


@dataclass(frozen=True)
class Folder(Place):
    """A folder on any web server that answers its address with a page of links to its files."""

    url: str
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.url

    def file(self, path: str) -> str:
        return f"{self.url.rstrip('/')}/{quote(path)}"


class Interrupted(Exception):
    """Something failed that may work later, at the earliest in ``wait`` seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def persistently(link: Place, action: Callable[[], T], position: Callable[[], int] = int) -> T:
    """The result of ``action``, which is repeated, after ever longer pauses, when it was ``Interrupted``.

    Raises E2EError after ``ATTEMPTS`` failures without ``position`` getting further than ever before.
    """
    failures, furthest = 0, position()
    while True:
        try:
            return action()
        except Interrupted as interruption:
            failures = 1 if position() > furthest else failures + 1
            furthest = max(furthest, position())
            if failures == ATTEMPTS:
                place = f" at byte {furthest}" if furthest else ""
                resumed = ": it goes on from there" if furthest else ""
                raise E2EError(
                    f"{link}: {interruption}{place}, {failures} times in a row; check the network, or try "
                    f"again later{resumed}"
                ) from None
            time.sleep(max(interruption.wait, min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY)))


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
    session: requests.Session, link: Place, method: str, address: str, headers: dict[str, str], **options: Any
) -> Iterator[requests.Response]:
    """The response to a request, its body unread, whatever its status, unless the server is busy or broken.

    It may be a redirection, where it leads to an address that ``link`` does not allow. Raises Interrupted
    if the server is busy or broken and when the connection fails, also while the response is read in the
    block; E2EError where it cannot succeed.
    """
    host = urlsplit(address).hostname
    options |= {"headers": headers, "timeout": TIMEOUT, "stream": True}
    try:
        for sent in range(REDIRECTS + 1):
            response = session.request(method, address, **options)
            place = _sent_to(response)
            leads = place and not LOGIN_PLACE.search(place) and link.allows(address, place)
            if sent == REDIRECTS or not leads:
                break
            response.close()
            address = place
        with response:
            if response.status_code in (408, 425, 429, 500, 502, 503, 504):
                wait = _retry_after(response.headers.get("Retry-After", ""))
                raise Interrupted(f"{host} answered {response.status_code} {response.reason}", wait)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise E2EError(
                    f"{link}: {host} packs what it sends although asked not to; fetch it in another way"
                )
            yield response
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, requests.exceptions.SSLError):
            raise E2EError(f"{link}: {host} has no certificate that is trusted here ({error})") from None
        if isinstance(error, ValueError):  # what requests calls an invalid URL or scheme
            raise E2EError(f"{link}: not an address ({error}); correct `url` in the configuration") from None
        if "NameResolutionError" in repr(error):
            raise E2EError(
                f"{link}: the name {host} cannot be resolved; check that this machine is online"
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
    place = response.headers.get("Location", "")
    try:
        return urlsplit(urljoin(response.url, place)).geturl()
    except ValueError:
        return f"?{place}"  # no address at all


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


def contents(response: requests.Response, link: Place, wanted: str) -> bytes:
    """The body of a response that is to be a list of files; raises E2EError for a larger one."""
    body = b""
    for block in blocks(response, 2**16):
        body += block
        if len(body) > LISTING_BYTES:
            raise E2EError(
                f"{link}: {wanted} has more than {LISTING_BYTES} bytes; name the `files` wanted in the "
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
