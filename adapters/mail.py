"""Mail: what people are told outside of the pages, by SMTP (RFC 5321), as plain text."""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from models.refusal import Refusal

SECONDS = 10


class NoMail(Refusal):
    """No server to send mail by is named."""

    remedy = "Set TIEOUT_SMTP_URL: smtp://host:port, or smtps://user:password@host."


class Mail:
    """Sends mail by the server a URL names: smtp:// (STARTTLS where it is offered) or smtps://."""

    def __init__(self, url: str | None, sender: str) -> None:
        self._url = url
        self._sender = sender

    def sign_in_link(self, address: str, link: str) -> None:
        """Mail a sign-in link; raises NoMail, or smtplib's own errors."""
        self.send(
            address,
            "Your link to sign in",
            f"Open this link and confirm, to see your usage and invoices:\n\n{link}\n\n"
            "It works once, for half an hour. If you did not ask for it, leave it alone: nothing happens.\n",
        )

    def send(self, address: str, subject: str, text: str) -> None:
        """Mail a text to an address."""
        if self._url is None:
            raise NoMail("mail can't be sent")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, address, subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._sender.rpartition("@")[2])
        message.set_content(text, cte="8bit")
        where = urlsplit(self._url)
        secure = where.scheme == "smtps"
        kind = smtplib.SMTP_SSL if secure else smtplib.SMTP
        with kind(where.hostname or "", where.port or (465 if secure else 25), timeout=SECONDS) as server:
            if not secure and server.has_extn("starttls"):
                server.starttls()
            if where.username:
                server.login(unquote(where.username), unquote(where.password or ""))
            server.send_message(message)
