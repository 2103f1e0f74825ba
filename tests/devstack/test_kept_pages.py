"""A kept page stands by itself: sheet and mark inside, links to kept pages or to nowhere, forms that send nothing."""

import httpx
import pytest

from devstack import kept_pages
from devstack.kept_pages import Album, Kept, NotKept

PAGE = """<!doctype html>
<html><head><title>A &amp; B</title>
<link rel="stylesheet" href="/static/tieout.css"><link rel="icon" href="/static/mark.svg">
<script type="module" src="/static/live.js"></script></head>
<body><a href="/close#top">on</a><a href="/audit">off</a>
<a href="http://127.0.0.1:8233/x">away</a><a href="#here">here</a>
<div data-live="/live/close" class="x">1 &lt; 2 &#215; 3</div><br/>
<form method="post" action="/close"><input type="hidden" name="csrf" value="abc">
<input name="month"><button>Start</button></form>
<footer class="foot">Tieout</footer></body></html>"""


def test_a_kept_page_asks_nobody_and_sends_nothing() -> None:
    still = kept_pages._still(PAGE, {"/close": "close.html"}, "Kept.")
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in still
    assert "--ground: #f6f6f3" in still
    assert "<script" not in still
    assert "/static/" not in still
    assert "data-live" not in still
    assert "action=" not in still
    assert "csrf" not in still
    assert "<button disabled>Start</button>" in still


def test_links_lead_to_kept_pages_or_to_nowhere() -> None:
    still = kept_pages._still(PAGE, {"/close": "close.html"}, "Kept.")
    assert '<a href="close.html#top">on</a><a>off</a>\n<a>away</a><a href="#here">here</a>' in still


def test_the_words_of_a_page_are_kept_as_they_stood() -> None:
    still = kept_pages._still(PAGE, {}, "Kept as cora saw it.")
    assert still.startswith("<!doctype html>")
    assert "<title>A &amp; B</title>" in still
    assert "1 &lt; 2 &#215; 3</div><br/>" in still
    assert '<footer class="foot"><span>Kept as cora saw it.' in still


def an_album(pages: dict[str, str]) -> Album:
    """Return an album over pages that are served as they stand here."""

    def answer(request: httpx.Request) -> httpx.Response:
        address = request.url.raw_path.decode()
        return httpx.Response(200, text=pages[address]) if address in pages else httpx.Response(404)

    return Album("finance", "cora", httpx.Client(base_url="http://x", transport=httpx.MockTransport(answer)))


def test_links_are_followed_to_pages_and_not_to_files_or_doors() -> None:
    album = an_album(
        {"/close": '<a href="/rates">r</a><a href="/audit.csv?by=x">c</a><a href="/papers/1">p</a>', "/rates": ""}
    )
    album.fetch(("/close",), lambda _: True)
    assert list(album.bodies) == ["/close", "/rates"]


def test_a_page_that_is_not_served_is_named() -> None:
    with pytest.raises(NotKept, match=r"finance answers 404 \(page=/rates\)"):
        an_album({"/close": '<a href="/rates">r</a>'}).fetch(("/close",), lambda _: True)


def test_what_a_closed_month_is_shown_by_is_pictured() -> None:
    kept = tuple(
        Kept(f"{whose}/{at}", whose, at, "")
        for whose, at in (
            ("finance", "/close"),
            ("finance", "/close/2026-10/customers/acme"),
            ("finance", "/close/2026-10/customers/bolt"),
            ("acme", "/"),
            ("delta", "/"),
        )
    )
    assert kept_pages.to_picture(kept, "2026-10") == [
        "finance//close",
        "finance//close/2026-10/customers/acme",
        "acme//",
    ]
