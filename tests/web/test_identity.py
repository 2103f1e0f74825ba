"""Finance's sign-in: code, PKCE, state and nonce against the demo's provider; anything else is refused."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from devstack.identity import NotLoopback, provider_of, refuse_beyond_loopback
from runtime.console import Console
from tests.web.conftest import Clock, World, a_free_port, serving
from web.console.app import console_of
from web.face import Face
from web.signing_in import Provider

pytestmark = pytest.mark.stack


@dataclass
class Served:
    """A provider and a console that use each other."""

    issuer: str
    console: str


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with ExitStack() as stack:
        issuer, console = (f"http://127.0.0.1:{a_free_port()}" for _ in range(2))
        seed_visitors(world.books.owner_url, [(issuer, "pia", "pia")], [])
        role = world.books.as_role("console")
        face = Face("console", "Close", console, PostgresWebSessions(role), Clock())
        app = console_of(face, Console(role), Provider(issuer, "tieout-console", "a-secret"), "a-word")
        provider = provider_of(issuer, "a-secret", f"{console}/sign-in/back")
        stack.enter_context(serving(provider, urlsplit(issuer).port))
        stack.enter_context(serving(app, urlsplit(console).port))
        yield Served(issuer, console)


def browser() -> httpx.Client:
    return httpx.Client(follow_redirects=True, trust_env=False)


def test_a_person_signs_in_and_lands_where_they_wanted(served: Served) -> None:
    with browser() as mine:
        asked = mine.get(f"{served.console}/close?revision=1")
        assert asked.url.path == "/sign-in"
        answer = mine.get(f"{served.console}/sign-in/start?login_hint=pia&next=/close%3Frevision%3D1")
        assert str(answer.url) == f"{served.console}/close?revision=1"
        assert "No close yet." in answer.text


def test_whom_the_provider_knows_and_the_desk_does_not_is_refused(served: Served) -> None:
    with browser() as mine:
        answer = mine.get(f"{served.console}/sign-in/start?login_hint=erik")
        assert answer.status_code == 403
        assert "belongs to nobody at the desk" in answer.text
        assert mine.get(f"{served.console}/close").url.path == "/sign-in"


def test_a_code_of_another_browser_opens_nothing(served: Served) -> None:
    with browser() as mine, browser() as thief:
        mine.follow_redirects = False
        to_provider = mine.get(f"{served.console}/sign-in/start?login_hint=pia").headers["location"]
        back = mine.get(to_provider).headers["location"]
        assert thief.get(back).status_code == 403  # no state of theirs
        away = parse_qs(urlsplit(to_provider).query)
        assert away["code_challenge_method"] == ["S256"]
        assert away["nonce"]
        assert away["state"]
        wrong = back.replace(f"state={away['state'][0]}", "state=other")
        assert mine.get(wrong).status_code == 403


def a_code(issuer: str, console: str, verifier: str, **more: str) -> httpx.Response:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": "tieout-console",
        "redirect_uri": f"{console}/sign-in/back",
        "response_type": "code",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": "pia",
        **more,
    }
    return httpx.get(f"{issuer}/authorize", params=asked, trust_env=False)


def test_the_provider_gives_a_token_for_the_verifier_once_and_to_its_client(served: Served) -> None:
    def spend(code: str, verifier: str, secret: str = "a-secret") -> int:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{served.console}/sign-in/back",
            "code_verifier": verifier,
            "client_id": "tieout-console",
            "client_secret": secret,
        }
        return httpx.post(f"{served.issuer}/token", data=asked, trust_env=False).status_code

    def code() -> str:
        location = a_code(served.issuer, served.console, "v" * 43).headers["location"]
        return parse_qs(urlsplit(location).query)["code"][0]

    one = code()
    assert spend(one, "w" * 43) == 400
    assert spend(one, "v" * 43) == 400  # the wrong one spent it
    two = code()
    assert spend(two, "v" * 43, secret="other") == 401
    assert spend(two, "v" * 43) == 200
    assert spend(two, "v" * 43) == 400
    elsewhere = a_code(served.issuer, served.console, "v" * 43, redirect_uri="http://127.0.0.1:1/x")
    assert elsewhere.status_code == 400
    assert "location" not in elsewhere.headers
    assert a_code(served.issuer, served.console, "v" * 43, code_challenge_method="plain").status_code == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "localhost.example", ""])
def test_the_demos_sign_in_is_for_this_machine_alone(host: str) -> None:
    with pytest.raises(NotLoopback):
        refuse_beyond_loopback(host)
    refuse_beyond_loopback("127.0.0.1")
    refuse_beyond_loopback("::1")
