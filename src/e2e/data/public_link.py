"""A CERNBox public link: its addresses, questions to its server, and what the answers mean.

A link ``<url>/s/<token>`` shows a web page. Its files are behind the WebDAV endpoint
``/remote.php/dav/public-files/<token>/``, a single shared file also behind
``/index.php/s/<token>/download``. What is no file, such as an expired link or one with a password, may be
answered by 404, by 401, or by a page with status 200.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
import urllib3

from e2e import __version__
from e2e.errors import E2EError

TIMEOUT = (15, 60)  # seconds to connect, and between two bytes
ATTEMPTS = 5  # in a row that bring nothing new
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds before the second attempt; doubled each time
LONGEST_WAIT = 600.0  # seconds that a server may ask for

LOGIN_PAGE = re.compile(
    rb"<input[^>]+type\s*=\s*[\"']?password|/oauth2?/authori[sz]e|SAMLRequest", re.IGNORECASE
)
LOGIN_PLACE = re.compile(r"\b(auth|login|logon|signin|sign-in|sso|saml)\b", re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True)
class Link:
    """A public link by its token, on the server at ``url``."""

    token: str
    url: str

    def __str__(self) -> str:
        return f"{self._base}/s/{self.token}"

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def dav(self, path: str) -> str:
        """Address of a file or folder (``""``: the shared one) inside the link."""
        return f"{self._base}/remote.php/dav/public-files/{quote(self.token, safe='')}/{quote(path)}"

    @property
    def download(self) -> str:
        """Address of a single shared file."""
        return f"{self._base}/index.php/s/{quote(self.token, safe='')}/download"

    def refused(self, response: requests.Response, body: bytes, wanted: str) -> E2EError:
        """What a response means that is not ``wanted``, and will not become it."""
        host = urlsplit(response.url).hostname
        status = f"{response.status_code} {response.reason}"
        if response.status_code in (404, 410):
            return E2EError(
                f"{self}: nothing there ({status}): the link has expired, or its token or the file's name is "
                "wrong; ask its owner for a new link, and put its token into the configuration"
            )
        page = is_page(response, body)
        login = page and (LOGIN_PAGE.search(body) or LOGIN_PLACE.search(response.url))
        if login or response.status_code in (401, 403):
            return E2EError(
                f"{self}: {host} wants a login ({status}) before it gives {wanted}; ask the owner for a "
                "public link without a password"
            )
        if page:
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


def persistently(link: Link, action: Callable[[], T], position: Callable[[], int] = int) -> T:
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


def session() -> requests.Session:
    found = requests.Session()
    # A compressed body has another length than the file, and no ranges of it
    found.headers.update({"User-Agent": f"e2e/{__version__}", "Accept-Encoding": "identity"})
    return found


@contextmanager
def answer(
    session: requests.Session, link: Link, method: str, address: str, headers: dict[str, str], **options: Any
) -> Iterator[requests.Response]:
    """The response to a request, whatever its status, unless the server is busy or broken.

    Raises Interrupted in that case and when the connection fails, also while the response is read in
    the block; E2EError where it cannot succeed.
    """
    host = urlsplit(address).hostname
    try:
        with session.request(method, address, headers=headers, timeout=TIMEOUT, **options) as response:
            if response.status_code in (408, 425, 429, 500, 502, 503, 504):
                wait = _retry_after(response.headers.get("Retry-After", ""))
                raise Interrupted(f"{host} answered {response.status_code} {response.reason}", wait)
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
        reason = "no answer in time" if isinstance(error, requests.Timeout) else "the connection failed"
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


def is_page(response: requests.Response, body: bytes) -> bool:
    """Whether a response whose body begins with ``body`` is HTML."""
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    start = body[:500].lstrip().lower()
    return kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html"))
