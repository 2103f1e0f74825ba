"""Headers: what a browser may do with our pages. Nothing is loaded from, framed by, or sent to another host."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'{more}",
        "frame-ancestors 'none'",
    )
)
STATIC_SECONDS = 3600


class SafeHeaders:
    """Adds the headers to every answer. `form_action` is one more origin a form may lead to: the sign-in's."""

    def __init__(self, app: ASGIApp, secure: bool, form_action: str | None = None) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": POLICY.format(more=f" {form_action}" if form_action else ""),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
            **({"Strict-Transport-Security": "max-age=31536000"} if secure else {}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        static = str(scope["path"]).startswith("/static/")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", f"public, max-age={STATIC_SECONDS}" if static else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
