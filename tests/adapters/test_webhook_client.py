"""An address that a customer names leads to the public internet or nowhere, whatever its name says the second time."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from adapters import webhook_client
from adapters.webhook_client import AddressForbidden, UrlUnusable, WebhookClient, is_public
from devstack.certificates import make
from devstack.webhooks import Keeper, received

PUBLIC = "93.184.216.34"


def leads_to(*addresses: str) -> WebhookClient:
    """Return a client whose every name leads to these addresses."""
    return WebhookClient(lambda _host, _port: addresses)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_no_private_loopback_link_local_or_reserved_address_is_public_in_any_form(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressForbidden):
        leads_to(address).check("https://hooks.example/x")
    with pytest.raises(AddressForbidden):  # one bad address among good ones
        leads_to(PUBLIC, address).check("https://hooks.example/x")


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_told(address: str) -> None:
    _, found = leads_to(address).check("https://hooks.example/x")
    assert found == (ipaddress.ip_address(address),)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "hooks.example", "//hooks.example/", "https://", "", "https:///x",
        "https://user@hooks.example/", "https://user:word@hooks.example/", "https://hooks.example/#x",
        "https://hooks.example:22/", "https://hooks.example:1023/", "https://hooks.example:0/", "https://hooks.example:70000/",
        "https://127.0.0.1/", "https://8.8.8.8/", "https://2130706433/", "https://017700000001/", "https://0x7f000001/",
        "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/", "https://[::1]/", "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/", "https://hooks.example./x", "https://hooks_example.com\n/",
        "https://a b.example/",
        "https://hooks.example\\@127.0.0.1/", "https://" + "a" * 64 + ".example/", "https://hooks..example/",
    ],
)  # fmt: skip
def test_other_schemes_ports_users_and_bare_addresses_are_refused_by_form(url: str) -> None:
    with pytest.raises(UrlUnusable):
        leads_to(PUBLIC).check(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.example", "https://hooks.example:8443/a?b=c", "https://xn--bcher-kva.example/"]
)
def test_a_public_name_is_taken(url: str) -> None:
    assert leads_to(PUBLIC).check(url)[1]


def test_a_name_beyond_ascii_is_resolved_and_certified_as_the_one_name_that_is_sent(tmp_path: Path) -> None:
    name, asked = "xn--strae-oqa.example", []  # what Python's own rule would make strasse.example, which is another's

    def local(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.0.0.1",)

    with keeping(tmp_path, name) as keeper:
        port = keeper.server_address[1]
        answer = permitted(tmp_path, local).post(f"https://straße.example:{port}/", {}, "{}")
    assert (asked, answer.status, answer.detail) == ([name], 200, "")
    assert received(tmp_path)[0]["headers"]["host"] == f"{name}:{port}"


def test_a_name_that_is_nowhere_is_refused_in_the_words_of_one_that_is_private() -> None:
    def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    told = set()
    for client in (WebhookClient(nowhere), leads_to(), leads_to("10.0.0.1")):
        with pytest.raises(AddressForbidden) as refused:
            client.check("https://hooks.example/")
        told.add((refused.value.what, tuple(refused.value.facts.items())))
        told.add((client.post("https://hooks.example/", {}, "{}").detail, (("name", "hooks.example"),)))
    assert told == {("the name leads to no public address", (("name", "hooks.example"),))}


@contextlib.contextmanager
def keeping(folder: Path, name: str = "localhost") -> Iterator[Keeper]:
    """Serve on this machine, with a certificate for a name."""
    keeper = Keeper(folder, 0, make(folder, name))
    thread = threading.Thread(target=keeper.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield keeper
    finally:
        keeper.shutdown()
        thread.join()
        keeper.server_close()


def permitted(folder: Path, resolve: webhook_client.Resolve = lambda _host, _port: ("127.0.0.1",)) -> WebhookClient:
    """Return a client that may speak to this machine, and trusts the folder's authority."""
    return WebhookClient(resolve, loopback=True, authority=str(folder / "authority.pem"))


def test_an_event_is_posted_to_the_address_that_was_checked_under_the_name_that_was_given(tmp_path: Path) -> None:
    with keeping(tmp_path, "hooks.example") as keeper:
        port = keeper.server_address[1]
        answer = permitted(tmp_path).post(f"https://hooks.example:{port}/in?a=b", {"webhook-id": "m1"}, '{"a":"ü"}')
    assert (answer.status, answer.accepted, answer.detail) == (200, True, "")
    [event] = received(tmp_path)
    assert (event["path"], event["body"]) == ("/in?a=b", '{"a":"ü"}')
    assert event["headers"]["host"] == f"hooks.example:{port}"
    assert event["headers"]["webhook-id"] == "m1"


def test_a_certificate_for_another_name_is_not_good(tmp_path: Path) -> None:
    with keeping(tmp_path, "other.example") as keeper:
        answer = permitted(tmp_path).post(f"https://hooks.example:{keeper.server_address[1]}/", {}, "{}")
    assert (answer.status, answer.detail) == (None, "its certificate is not good for its name")
    assert received(tmp_path) == []


def test_without_permission_this_machine_is_not_told(tmp_path: Path) -> None:
    with keeping(tmp_path) as keeper:
        client = WebhookClient(authority=str(tmp_path / "authority.pem"))
        answer = client.post(f"https://localhost:{keeper.server_address[1]}/", {}, "{}")
    assert (answer.status, answer.detail) == (None, "the name leads to no public address")
    assert received(tmp_path) == []


def test_a_name_that_turns_private_after_it_was_registered_is_not_connected_to(tmp_path: Path) -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return (PUBLIC,) if len(asked) == 1 else ("127.0.0.1",)

    with keeping(tmp_path, "hooks.example") as keeper:
        client = WebhookClient(rebinding, authority=str(tmp_path / "authority.pem"))
        url = f"https://hooks.example:{keeper.server_address[1]}/"
        client.check(url)  # as it is registered
        answer = client.post(url, {}, "{}")
    assert (answer.status, answer.accepted) == (None, False)
    assert asked == ["hooks.example"] * 2  # once a request: there is no third answer to connect by
    assert received(tmp_path) == []


def test_the_next_address_is_tried_where_one_can_not_be_reached(tmp_path: Path) -> None:
    with keeping(tmp_path) as keeper:
        client = permitted(tmp_path, lambda _host, _port: ("::1", "127.0.0.1"))  # it listens on IPv4 alone
        assert client.post(f"https://localhost:{keeper.server_address[1]}/", {}, "{}").accepted


@pytest.mark.parametrize(("status", "detail"), [(204, ""), (302, "a redirect is not followed"), (410, ""), (503, "")])
def test_an_answer_is_what_it_is_and_a_redirect_leads_nowhere(tmp_path: Path, status: int, detail: str) -> None:
    with keeping(tmp_path) as keeper:
        answer = permitted(tmp_path).post(f"https://localhost:{keeper.server_address[1]}/status/{status}", {}, "{}")
    assert (answer.status, answer.accepted, answer.gone, answer.detail) == (
        status,
        status == 204,
        status == 410,
        detail,
    )
    assert [one["path"] for one in received(tmp_path)] == [f"/status/{status}"]


def test_no_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with keeping(tmp_path) as keeper:
        assert permitted(tmp_path).post(f"https://localhost:{keeper.server_address[1]}/", {}, "{}").accepted


def test_a_name_that_nobody_resolves_is_given_up_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_client, "SECONDS_TO_RESOLVE", 0.2)
    over = threading.Event()

    def never(_host: str, _port: int) -> Sequence[str]:
        assert over.wait(10)
        return (PUBLIC,)

    client, began = WebhookClient(never), time.monotonic()
    try:
        with pytest.raises(AddressForbidden, match="no public address"):
            client.check("https://hooks.example/x")
        assert client.post("https://hooks.example/x", {}, "{}").status is None
        assert time.monotonic() - began < 5
    finally:
        over.set()


def test_nobody_listening_and_one_who_drips_are_both_failures_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make(tmp_path)
    monkeypatch.setattr(webhook_client, "SECONDS", 1.0)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        answer = permitted(tmp_path).post(f"https://localhost:{port}/", {}, "{}")
        assert (answer.status, answer.detail) == (None, "it can't be reached")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        """Send a header for ever, a byte at a time: no single read is ever late."""
        with contextlib.suppress(OSError), tls.wrap_socket(server.accept()[0], server_side=True) as one:
            one.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.05):
                one.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        began = time.monotonic()
        answer = permitted(tmp_path).post(f"https://localhost:{server.getsockname()[1]}/", {}, "{}")
        took = time.monotonic() - began
        over.set()
        thread.join()
    assert (answer.status, answer.detail) == (None, "no answer within 1 seconds")
    assert took < 5


@pytest.mark.parametrize("ends", [True, False])
def test_a_status_that_was_heard_counts_however_its_body_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    certificates = make(tmp_path)
    monkeypatch.setattr(webhook_client, "SECONDS_TO_END", 0.2)
    monkeypatch.setattr(webhook_client, "SECONDS", 3.0)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    over = threading.Event()

    def half(server: socket.socket) -> None:
        """Promise a hundred bytes, send two, and hang up or say no more."""
        with contextlib.suppress(OSError), tls.wrap_socket(server.accept()[0], server_side=True) as one:
            for part in iter(lambda: one.recv(65_536), b""):
                if part.endswith(b"{}"):
                    break
            one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
            assert ends or over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=half, args=(server,))
        thread.start()
        answer = permitted(tmp_path).post(f"https://localhost:{server.getsockname()[1]}/", {}, "{}")
        over.set()
        thread.join()
    assert (answer.status, answer.detail) == (200, "")
