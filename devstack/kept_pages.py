"""Kept pages: what both faces show of a closed month, as files that ask nobody for anything.

Each is fetched as its person sees it, signed in as anybody signs in. Sheet and mark stand inside; links lead to
other kept pages or nowhere; forms are shown and send nothing.
"""

import base64
import html
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from devstack.faces import Faces
from models.refusal import Refusal
from web.app import STATIC

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a kept page may load: nothing but what stands in it."""

CONTROLLER = "cora"
GUESTS = ("acme", "delta")
NO_PAGE = re.compile(r"/(live|static|sign-|papers|share|exports/.)|csv\b|\.(pdf|json)$")
"""Addresses that are streams, files or doors."""

TOKEN = re.compile(r'name="csrf" value="(\w+)"')


class NotKept(Refusal):
    """A page of the closed month was not served, so it cannot be kept."""

    remedy = "See the log of that face under the state folder."


@dataclass(frozen=True)
class Kept:
    """A page: its file below the folder, whose it is, its address there, and its title as HTML has it."""

    file: str
    whose: str
    address: str
    title: str


@dataclass
class Album:
    """The pages one person sees, by address, as they are fetched."""

    name: str
    whose: str
    browser: httpx.Client
    bodies: dict[str, str] = field(default_factory=dict)

    def file(self, address: str) -> str:
        """Return the file of an address."""
        words = re.sub(r"[^\w@.-]+", "-", address.strip("/")) or "overview"
        return f"{self.name}/{words}.html"

    def fetch(self, begin: tuple[str, ...], wanted: Callable[[str], bool]) -> None:
        """Fetch pages and what they link to, breadth first.

        Raises:
            NotKept: one was refused, or is not there.
        """
        ahead = list(begin)
        while ahead:
            address = ahead.pop(0)
            if address in self.bodies:
                continue
            answer = self.browser.get(address)
            if answer.status_code != 200:
                raise NotKept(f"{self.name} answers {answer.status_code}", page=address)
            self.bodies[address] = answer.text
            found = (html.unescape(one) for one in re.findall(r'<a [^>]*?href="(/[^"#]*)', answer.text))
            ahead += [one for one in dict.fromkeys(found) if not NO_PAGE.search(one) and wanted(one)]


class Still(HTMLParser):
    """Writes a page again so that it stands by itself. `files`: where a linked address is kept, from this page."""

    def __init__(self, files: Mapping[str, str], note: str) -> None:
        super().__init__(convert_charrefs=False)
        self._files, self._note = files, note
        self._silent = False
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write a tag: what would load, lead away or send is replaced."""
        given = dict(attrs)
        self._silent = tag == "script"
        if tag == "link":
            self.parts.append(_inlined(given.get("href") or ""))
        elif tag == "head":
            self.parts.append(f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">')
        elif tag == "footer":
            self.parts.append(f"{self.get_starttag_text()}<span>{self._note}</span>")
        elif tag not in ("script", "a", "form", "button", "div") and given.get("name") != "csrf":
            self.parts.append(self.get_starttag_text() or "")
        elif tag in ("a", "form", "button", "div"):
            self.parts.append(_tag(tag, self._stilled(tag, given)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write a tag that closes itself, as any other."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Write an end."""
        if tag != "script":
            self.parts.append(f"</{tag}>")
        self._silent = False

    def handle_data(self, data: str) -> None:
        """Write text; a script's is left out."""
        if not self._silent:
            self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        """Write a named character as it stood."""
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """Write a numbered character as it stood."""
        self.parts.append(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        """Write the document's kind."""
        self.parts.append(f"<!{decl}>")

    def _stilled(self, tag: str, given: dict[str, str | None]) -> dict[str, str | None]:
        if tag == "form":
            return {name: value for name, value in given.items() if name not in ("action", "method")}
        if tag == "button":
            return {**given, "disabled": None}
        if tag == "div":
            return {name: value for name, value in given.items() if name != "data-live"}
        to = given.pop("href", None) or ""
        address, mark, place = to.partition("#")
        if address in self._files:
            return {**given, "href": f"{self._files[address]}{mark}{place}"}
        return {**given, "href": to} if mark and not address else given


def keep(faces: Faces, month: str, folder: Path) -> tuple[Kept, ...]:
    """Keep the console's pages of a month as a controller sees them, and the portal's of two customers.

    Returns them in order; `index.html` in the folder lists them.

    Raises:
        NotKept: a page was not served.
    """
    with (
        _browser(faces.console.url) as console,
        _browser(faces.portal.url) as acme,
        _browser(faces.portal.url) as delta,
    ):
        albums = [Album("finance", CONTROLLER, console)]
        albums += [Album(name, f"{name}-admin", at) for name, at in zip(GUESTS, (acme, delta), strict=True)]
        console.get(faces.console_sign_in(CONTROLLER)).raise_for_status()
        for album in albums[1:]:
            _sign_in(album.browser, faces.portal_sign_in(album.whose))
        jobs = (
            (albums[0], ("/close",), lambda one: _of_finance(one, month)),
            *((album, ("/", f"/usage?month={month}"), _of_a_customer) for album in albums[1:]),
        )
        with ThreadPoolExecutor(len(jobs)) as hands:
            for done in [hands.submit(album.fetch, begin, wanted) for album, begin, wanted in jobs]:
                done.result()
    kept = tuple(
        Kept(album.file(at), album.name, at, _title(body)) for album in albums for at, body in album.bodies.items()
    )
    for album in albums:
        files = {at: Path(album.file(at)).name for at in album.bodies}
        files["/"] = Path(album.file(next(iter(album.bodies)))).name  # the console's first page is its list
        for at, body in album.bodies.items():
            _write(folder / album.file(at), _still(body, files, f"Kept as {album.whose} saw it; nothing is live."))
    _write(folder / "index.html", _index(month, kept))
    return kept


def to_picture(kept: tuple[Kept, ...], month: str) -> list[str]:
    """Return the files of the pages that are pictured: those a closed month is shown by."""
    finance = ("/close", *(f"/close/{month}{one}" for one in ("", "/period")))
    guest = ("/", f"/usage?month={month}", "/commitments")
    shown = {("finance", one) for one in (*finance, f"/close/{month}/customers/{GUESTS[0]}")}
    shown |= {(GUESTS[0], one) for one in (*guest, f"/invoices/{month}@1/{GUESTS[0]}/USD")}
    return [one.file for one in kept if (one.whose, one.address) in shown]


def _of_finance(address: str, month: str) -> bool:
    """Return whether the console's page is of the month, or of none."""
    parts = urlsplit(address)
    if parts.path.startswith("/invoices/"):
        return f"/{month}@" in parts.path
    return parts.path != "/" and parts.query in ("", f"period={month}")


def _of_a_customer(address: str) -> bool:
    """Return whether the portal's page is kept: those that no filter chose."""
    return "?" not in address


def _browser(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=30)


def _sign_in(browser: httpx.Client, link: str) -> None:
    token = TOKEN.search(browser.get(link).text)
    if token is None:
        raise NotKept("the sign-in shows no form", page="sign-in")
    browser.post(link, data={"csrf": token[1], "next": "/"}).raise_for_status()


def _still(body: str, files: Mapping[str, str], note: str) -> str:
    page = Still(files, f'{note} <a href="../index.html">All kept pages</a>')
    page.feed(body)
    page.close()
    return "".join(page.parts)


def _inlined(href: str) -> str:
    file = STATIC / Path(urlsplit(href).path).name
    if file.suffix == ".css":
        return f"<style>{file.read_text()}</style>"
    return f'<link rel="icon" href="data:image/svg+xml;base64,{base64.b64encode(file.read_bytes()).decode()}">'


def _tag(name: str, given: Mapping[str, str | None]) -> str:
    said = "".join(f" {one}" if text is None else f' {one}="{html.escape(text)}"' for one, text in given.items())
    return f"<{name}{said}>"


def _title(body: str) -> str:
    """Return a page's title as it stands there, escaped."""
    found = re.search(r"<title>(.*?)</title>", body, re.DOTALL)
    return found[1].strip() if found else ""


def _index(month: str, kept: tuple[Kept, ...]) -> str:
    lists = []
    for whose in dict.fromkeys(one.whose for one in kept):
        mine = [one for one in kept if one.whose == whose]
        rows = "".join(f'<li><a href="{one.file}">{one.title}</a> <code>{one.address}</code></li>' for one in mine)
        lists.append(f"<h2>{'Finance' if whose == 'finance' else html.escape(whose)}</h2><ul>{rows}</ul>")
    return (
        f'<!doctype html><html lang="en"><head><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Pages of {month}</title>{_inlined('/tieout.css')}</head>"
        f'<body class="alone"><main><h1>Pages of {month}</h1>'
        f"<p>As the demo people saw them. Nothing here is live.</p>{''.join(lists)}</main></body></html>\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
