"""Webhook client: posts to an address that a customer names, and lets it lead nowhere but to the public internet.

A name is resolved once for each request, in bounded time; every address it has must be public, and the connection is
made to one of the very addresses that were checked; the certificate is checked for the name. Nothing is followed, no
proxy is used.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from models.refusal import Refusal
from models.webhook import Answer

SECONDS_TO_RESOLVE = 5.0
"""For a name to be resolved: the system's resolver has no bound that a caller may set."""

RESOLVING = 32
"""Names resolved at a time: those given up go on in their threads until the resolver ends them."""

SECONDS = 10.0
"""For everything after the name is resolved: to connect, to send, and to hear a status."""

SECONDS_TO_END = 1.0
"""For what follows a status, of those."""

MOST_READ = 16_384
"""Bytes of an answer that are read, so that its sender may end well; none is kept."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
NOT_PUBLIC = tuple(
    ipaddress.ip_network(one)
    for one in (
        "192.0.0.0/24",  # of the protocols themselves; older Pythons call half of it global
        "192.88.99.0/24",  # relays of 6to4, long given up
        "64:ff9b:1::/48",  # NAT64 of one's own network
        "168.63.129.16/32",  # a cloud's own services, at an address that looks public
    )
)
NOT_THERE = "the name leads to no public address"
"""Said of a private name and of one that is nowhere alike: who asks learns nothing of the names of our network."""

HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class UrlUnusable(Refusal):
    """What is to be told of events is no address that we tell."""

    remedy = "Give https://a.public.name/path; the port is 443 or above 1023, and there is no user or password in it."


class AddressForbidden(Refusal):
    """A name leads into a private network, to this machine, or nowhere."""

    remedy = "Let the name lead to public addresses only."


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address of a name; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet; what wraps an IPv4 address is as public as that is."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        wrapped = [address.sixtofour, *(address.teredo or ())]
        if any(one is not None and not is_public(one) for one in wrapped):
            return False
    strange = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not strange and not any(address in network for network in NOT_PUBLIC)


class WebhookClient:
    """`activities.ports.WebhookCaller`. `loopback` lets 127.0.0.1 be told too: for the embedded stack and its tests."""

    def __init__(self, resolve: Resolve = resolve, *, loopback: bool = False, authority: str | None = None) -> None:
        self._resolve = resolve
        self._resolving = ThreadPoolExecutor(RESOLVING, thread_name_prefix="resolve")
        self._loopback = loopback
        self._tls = (
            ssl.create_default_context(cafile=authority) if authority else httpx.create_ssl_context(trust_env=False)
        )

    def check(self, url: str) -> tuple[httpx.URL, tuple[Address, ...]]:
        """Return an address that may be told, taken apart, and where it leads now.

        Raises:
            UrlUnusable: it is of a form that nothing is sent to.
            AddressForbidden: its name leads to an address that is not public, or to none.
        """
        target = _target(url)
        name, port = _name(target), target.port or 443
        asked = self._resolving.submit(self._resolve, name, port)
        try:
            found = tuple(ipaddress.ip_address(one) for one in asked.result(SECONDS_TO_RESOLVE))
        except (OSError, UnicodeError) as error:  # a time that is up is an OSError too
            asked.cancel()
            raise AddressForbidden(NOT_THERE, name=name) from error
        if not found or not all(self._allowed(one) for one in found):
            raise AddressForbidden(NOT_THERE, name=name)
        return target, found

    def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Post a JSON body and return what was answered; what could not be reached is an answer without a status."""
        try:
            target, found = self.check(url)
        except (UrlUnusable, AddressForbidden) as refused:
            return Answer(status=None, milliseconds=0, detail=refused.what)
        began = time.monotonic()
        status, detail = None, ""
        try:
            status = asyncio.run(asyncio.wait_for(self._post(target, found, headers, body), SECONDS))
            detail = "a redirect is not followed" if 300 <= status < 400 else ""
        except (TimeoutError, httpx.TimeoutException):
            detail = f"no answer within {SECONDS:.0f} seconds"
        except (httpx.HTTPError, OSError) as error:
            detail = "its certificate is not good for its name" if _is_tls(error) else "it can't be reached"
        return Answer(status=status, milliseconds=round((time.monotonic() - began) * 1000), detail=detail)

    async def _post(self, target: httpx.URL, found: Sequence[Address], headers: Mapping[str, str], body: str) -> int:
        """Return the status that one of the checked addresses answers; the next is tried where none can be reached."""
        name = target.netloc.decode("ascii")
        sent = {**headers, "Host": name, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with httpx.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=SECONDS, headers={"User-Agent": "Tieout"}
        ) as client:
            for place, address in enumerate(found):
                request = client.build_request(
                    "POST",
                    target.copy_with(host=str(address)),
                    headers=sent,
                    content=body.encode(),
                    extensions={"sni_hostname": _name(target)},
                )
                try:
                    answer = await client.send(request, stream=True)
                except httpx.ConnectError:
                    if place + 1 == len(found):
                        raise
                    continue
                try:
                    # The status is heard: however its body ends changes nothing of it.
                    with contextlib.suppress(httpx.HTTPError, TimeoutError):
                        async with asyncio.timeout(SECONDS_TO_END):
                            read = 0
                            async for chunk in answer.aiter_raw():
                                read += len(chunk)
                                if read >= MOST_READ:
                                    break
                finally:
                    await answer.aclose()
                return answer.status_code
        raise AssertionError("no address was checked")

    def _allowed(self, address: Address) -> bool:
        return is_public(address) or (self._loopback and address.is_loopback)


def _target(url: str) -> httpx.URL:
    """Return an address taken apart; raises UrlUnusable."""
    try:
        target = httpx.URL(url)
        port = target.port
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlUnusable("this is no address") from error
    if target.scheme != "https":
        raise UrlUnusable("only https is told", scheme=target.scheme or "none")
    if target.userinfo or target.fragment:
        raise UrlUnusable("a user, a password or a fragment has no place in it")
    if port is not None and port != 443 and not 1023 < port < 65536:
        raise UrlUnusable("the port is neither 443 nor above 1023", port=port)
    host = _name(target)
    if HOST.fullmatch(host) is None or NUMBER.fullmatch(host.rpartition(".")[2]):
        raise UrlUnusable("a name is needed, not an address", host=host)
    return target


def _name(target: httpx.URL) -> str:
    """Return the name as DNS, TLS and HTTP all have it, in ASCII: each would encode another by rules of its own."""
    return target.raw_host.decode("ascii").lower()


def _is_tls(error: BaseException) -> bool:
    """Return whether a fault is TLS's: httpx tells it as one of connecting, with the cause behind it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
