"""Folders of web servers, whose pages list their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urljoin, urlsplit

import requests

from e2e.data.transport.web import Place, Question, Remote, is_login


@dataclass(frozen=True)
class Folder(Place):
    """A folder on any web server that answers its address with a page of links to its files."""

    url: str
    hosts: tuple[str, ...] = ()

    question = Question("GET", 200)

    def __str__(self) -> str:
        return self.url

    @property
    def key(self) -> str:
        return self.url

    def file(self, path: str) -> str:
        return f"{self.url.rstrip('/')}/{quote(path)}"

    def is_refusal(self, response: requests.Response, body: bytes) -> bool:
        return super().is_refusal(response, body) or is_login(response, body)

    def read(self, folder: str, answered: bytes, url: str) -> Iterator[Remote]:
        """Files that a page links to and that lie beside it; such a page does not say how long they are."""
        page = _Links()
        page.feed(answered.decode("utf-8", "replace"))
        here = urlsplit(url)
        above = here.path if here.path.endswith("/") else f"{here.path}/"
        for link_to in dict.fromkeys(page.found):
            there = urlsplit(urljoin(here._replace(path=above).geturl(), link_to))
            start, _, name = there.path.rpartition("/")
            if (there.scheme, there.netloc, f"{start}/") == (here.scheme, here.netloc, above) and name:
                name = unquote(name)
                yield Remote(name, (self.file(f"{folder}/{name}" if folder else name),))


class _Links(HTMLParser):
    """Collects in ``found`` what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]
