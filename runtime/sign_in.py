"""Sign-in: the tokens of sessions and links, and the address of a link. We keep hashes; a token is told once."""

import secrets
from urllib.parse import quote


def new_token() -> str:
    """Return a session's or a link's token: 256 random bits for a cookie or an address."""
    return secrets.token_urlsafe(32)


def new_id() -> str:
    """Return an id by which a session, a link or a thing made on a page is told of; it opens nothing."""
    return secrets.token_hex(8)


def link_to(url: str, token: str, to: str = "/") -> str:
    """Return the address of a sign-in link at a portal, which leads on to one of its pages."""
    onward = f"?next={quote(to, safe='/')}" if to != "/" else ""
    return f"{url}/sign-in/link/{token}{onward}"
