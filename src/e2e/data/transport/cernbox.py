"""Public links of CERNBox.

A link ``<url>/s/<token>`` shows a web page. Its files are behind the WebDAV endpoint
``/remote.php/dav/public-files/<token>/``, a single shared file also behind
``/index.php/s/<token>/download``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from e2e.data.transport.web import Place, Question, Remote

URL = "https://cernbox.cern.ch"
PROPERTIES = (
    '<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop>'
    "<d:resourcetype/><d:getcontentlength/><d:getetag/></d:prop></d:propfind>"
)


@dataclass(frozen=True)
class Link(Place):
    """A public link by its token, on the CERNBox server at ``url``."""

    token: str
    url: str = URL
    hosts: tuple[str, ...] = ()

    question = Question(
        "PROPFIND", 207, {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}, PROPERTIES
    )

    def __str__(self) -> str:
        return f"{self._base}/s/{self.token}"

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    @property
    def key(self) -> str:
        return self.token

    def file(self, path: str) -> str:
        return f"{self._base}/remote.php/dav/public-files/{quote(self.token, safe='')}/{quote(path)}"

    def unlisted(self, file: str) -> tuple[str, ...]:
        return self.file(file), f"{self._base}/index.php/s/{quote(self.token, safe='')}/download"

    def read(self, folder: str, answered: bytes, url: str) -> Iterator[Remote]:
        """Of an address only the last part is used: servers differ in the rest."""
        if b"<!DOCTYPE" in answered:  # which may define entities, each of many others
            raise ValueError("it defines a type of document")
        for response in ElementTree.fromstring(answered).iter("{DAV:}response"):
            found = {
                child.tag: child
                for status in response.iter("{DAV:}propstat")
                if "200" in status.findtext("{DAV:}status", "").split()
                for child in status.iterfind("{DAV:}prop/*")
            }
            if (kind := found.get("{DAV:}resourcetype")) is not None and kind.find(
                "{DAV:}collection"
            ) is not None:
                continue
            name = unquote(urlsplit(response.findtext("{DAV:}href", "")).path.rpartition("/")[2])
            size, etag = (
                (found[tag].text or "") if tag in found else ""
                for tag in ("{DAV:}getcontentlength", "{DAV:}getetag")
            )
            if not re.fullmatch(r"[0-9]{0,18}", size):
                raise ValueError(f"{name[:100]!r} has {size[:100]!r} bytes")
            address = self.file(f"{folder}/{name}" if folder else name)
            yield Remote(name, (address,), int(size) if size else None, etag)
