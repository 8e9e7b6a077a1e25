"""A server on this machine that answers as CERNBox's public endpoints do, with faults on demand.

After Reva's ocdav service (cs3org/reva, internal/http/services/owncloud/ocdav and pkg/rhttp/datatx): headers,
status codes, and the multistatus of a link to a folder, or of the virtual folder around a single file.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

PAGE = b"<!DOCTYPE html>\n<html><head><title>CERNBox</title></head><body></body></html>"
LOGIN = b'<html><form action="/login"><input name="user"><input type="password" name="p"></form></html>'


@dataclass
class Faults:
    """What is wrong with the server; a list is used up, one item a request."""

    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answers before the right one
    drops: list[int] = field(default_factory=list)  # bytes of a body before the connection is cut
    always_drop: int | None = None
    announced: int = 0  # added to the length that a download announces
    listed: int = 0  # added to the length in the listing
    ranges: str = "served"  # or ignored (200), refused (416), shifted, ahead, nameless
    lists: bool = True  # whether PROPFIND is known
    page: bool = False  # HTML instead of files, with status 200
    login: str = ""  # redirect, page, or status
    checksum: str | None = None  # instead of the right one
    garbled: bytes | None = None  # instead of the listing
    redirects: list[str] = field(default_factory=list)  # where requests for files are sent instead
    redirect: str = ""  # where every request is sent
    extra: int | None = None  # bytes that follow a file, whose length is not announced
    drip: tuple[int, float] | None = None  # bytes of a body at a time, and the seconds between them
    encoding: str = ""  # how a body is said to be packed


class CernBox(ThreadingHTTPServer):
    """``links`` maps a token to the files behind it; a link in ``single`` shares its only file.

    ``folders`` maps the path of a folder, with a page that lists it, to its files. ``seen`` has (method,
    path, Range header) of each request; ``url`` is the base address.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.links: dict[str, dict[str, bytes]] = {}
        self.single: set[str] = set()
        self.folders: dict[str, dict[str, bytes]] = {}
        self.faults = Faults()
        self.seen: list[tuple[str, str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def downloads(self) -> list[str | None]:
        """Range headers of the requests for files."""
        return [extent for method, _, extent in self.seen if method == "GET"]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, *_) -> None:  # clients that go away are part of the tests
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CernBox

    def log_message(self, *_) -> None:
        pass

    def do_PROPFIND(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token, path = self._begin() or (None, None)
        if token is None:
            return
        if not self.server.faults.lists:
            self._send(405)
        elif self.headers.get("Depth") not in ("0", "1"):
            self._send(400)
        elif token not in self.server.links:
            self._send(404)
        elif self.server.faults.garbled is not None:
            self._send(207, self.server.faults.garbled, {"Content-Type": "application/xml; charset=utf-8"})
        else:
            found = self._multistatus(token, path.rstrip("/"))
            if found is None:
                self._send(404)
            else:
                headers = {"Content-Type": "application/xml; charset=utf-8", "DAV": "1, 3, extended-mkcol"}
                self._send(207, found.encode(), headers)

    def do_GET(self) -> None:
        parts = urlsplit(self.path).path
        if parts.startswith("/login"):
            self._send(200, LOGIN, {"Content-Type": "text/html"})
            return
        if re.fullmatch(r"(/index\.php)?/s/\w+", parts):
            self._page()
            return
        if direct := re.fullmatch(r"(?:/index\.php)?/s/(\w+)/download", parts):
            if self._begin(direct[1]) is None:
                return
            files = self.server.links.get(direct[1])
            if files is None or direct[1] not in self.server.single:
                self._page()  # as the web application does for what it does not know
            else:
                self._file(*next(iter(files.items())))
            return
        for folder, files in self.server.folders.items():
            if parts.startswith(folder):
                if self._begin(folder) is not None:
                    self._folder(unquote(parts.removeprefix(folder)), files)
                return
        token, path = self._begin() or (None, None)
        if token is None:
            return
        content = self.server.links.get(token, {}).get(path)
        if content is None:
            self._send(404)
        else:
            self._file(path, content)

    def _begin(self, token: str | None = None) -> tuple[str, str] | None:
        """Token and path of a request; None where it has been answered by a fault."""
        faults = self.server.faults
        self.server.seen.append((self.command, self.path, self.headers.get("Range")))
        found = re.fullmatch(r"/remote\.php/dav/public-files/(\w+)/?(.*)", urlsplit(self.path).path)
        if faults.redirect or (faults.redirects and self.command == "GET"):
            place = faults.redirect or faults.redirects.pop(0)
            self._send(302, headers={"Location": place})
        elif faults.statuses:
            self._send(faults.statuses[0][0], headers=faults.statuses.pop(0)[1])
        elif faults.login == "redirect":
            self._send(302, headers={"Location": f"{self.server.url}/login?realm=cern"})
        elif faults.login == "page":
            self._send(200, LOGIN, {"Content-Type": "text/html"})
        elif faults.login == "status":
            self._send(401, headers={"WWW-Authenticate": "Bearer"})
        elif faults.page and self.command == "GET":
            self._page()
        elif token:
            return token, ""
        elif not found:
            self._send(404)
        else:
            return found[1], unquote(found[2])
        return None

    def _folder(self, path: str, files: dict[str, bytes]) -> None:
        """A file, or the page that Apache's mod_autoindex makes of a folder."""
        if path in files:
            self._file(path, files[path])
            return
        inside = [name.removeprefix(path) for name in files if name.startswith(path)]
        if not inside or (path and not path.endswith("/")):
            self._send(404)
            return
        here = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in inside})
        rows = [f'<tr><td><a href="{quote(name)}">{name[:20]}</a></td><td>2.0G</td></tr>' for name in here]
        sort = '<a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a> <a href="mailto:x@y.z">x</a>'
        page = (
            f"<!DOCTYPE HTML><html><head><title>Index</title></head><body>{sort}{''.join(rows)}</body></html>"
        )
        self._send(200, page.encode(), {"Content-Type": "text/html;charset=UTF-8"})

    def _multistatus(self, token: str, folder: str) -> str | None:
        files = self.server.links[token]
        prefix = f"{folder}/" if folder else ""
        inside = [name.removeprefix(prefix) for name in files if name.startswith(prefix)]
        if not inside:
            return None
        collections = [""] + [f"{name}/" for name in sorted({n.split("/")[0] for n in inside if "/" in n})]
        entries = [self._collection(token, prefix + name) for name in collections]
        entries += [
            self._entry(token, prefix + name, files[prefix + name]) for name in inside if "/" not in name
        ]
        spaces = 'xmlns:s="http://sabredav.org/ns" xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"'
        start = '<?xml version="1.0" encoding="utf-8"?>'
        return f"{start}<d:multistatus {spaces}>{''.join(entries)}</d:multistatus>"

    def _collection(self, token: str, path: str) -> str:
        return (
            f"<d:response><d:href>/remote.php/dav/public-files/{token}/{quote(path)}</d:href><d:propstat><d:prop>"
            "<d:resourcetype><d:collection/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status>"
            "</d:propstat><d:propstat><d:prop><d:getcontentlength></d:getcontentlength></d:prop>"
            "<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
        )

    def _entry(self, token: str, path: str, content: bytes) -> str:
        size = len(content) + self.server.faults.listed
        return (
            f"<d:response><d:href>/remote.php/dav/public-files/{token}/{quote(path)}</d:href><d:propstat><d:prop>"
            f"<d:resourcetype></d:resourcetype><d:getcontentlength>{size}</d:getcontentlength>"
            f"<d:getetag>&#34;{_tag(content)}&#34;</d:getetag></d:prop>"
            "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        )

    def _file(self, name: str, content: bytes) -> None:
        faults = self.server.faults
        start, status = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "ETag": f'"{_tag(content)}"',
            "OC-ETag": f'"{_tag(content)}"',
            "OC-Checksum": faults.checksum or f"ADLER32:{zlib.adler32(content):08x}",
            "Last-Modified": "Tue, 19 Jan 2021 16:23:43 +0000",
        }
        if asked and faults.ranges != "ignored":
            start, status = int(asked[1]), 206
            if start >= len(content) or faults.ranges == "refused":
                self._send(416, headers={"Content-Range": f"bytes */{len(content)}"} if start else {})
                return
            start += {"shifted": -1, "ahead": 1}.get(faults.ranges, 0)
            if faults.ranges != "nameless":
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        headers["Content-Length"] = str(len(body) + faults.announced)
        if faults.encoding:
            headers["Content-Encoding"] = faults.encoding
        if faults.extra is not None:  # the end of the connection is that of the body
            headers.pop("Content-Length")
            body += bytes(faults.extra)
            self.close_connection = True
        sent = faults.drops.pop(0) if faults.drops else faults.always_drop
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self._write(body if sent is None else body[:sent])
        if sent is not None or faults.announced > 0:
            self.close_connection = True

    def _page(self) -> None:
        self._send(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body)

    def _write(self, body: bytes) -> None:
        step, pause = self.server.faults.drip or (max(len(body), 1), 0.0)
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            time.sleep(pause)


def _tag(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()
