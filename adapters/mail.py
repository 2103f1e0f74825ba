"""Mail: one notice as one message, text and HTML saying the same, handed to an SMTP server."""

import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, formatdate, make_msgid
from html import escape
from urllib.parse import unquote, urlsplit

from models.notice import CHOICES, FOR_FINANCE, Addressed
from models.refusal import Refusal

SECONDS = 20.0
log = logging.getLogger(__name__)


class NoMail(Refusal):
    """No server to send mail by is named."""

    remedy = "Set TIEOUT_SMTP_URL: smtp://host:port, or smtps://user:password@host:port."


def no_mail(_address: str, _link: str) -> None:
    """Stand in for a mailer where there is none; raises NoMail."""
    raise NoMail("mail can't be sent")


class MailSettingUnusable(Refusal):
    """The mail server's URL is not one."""

    remedy = (
        "Set TIEOUT_SMTP_URL to smtp://host:port (starttls is used where offered) or smtps://user:password@host:port."
    )


class SmtpMailer:
    """`activities.ports.Mailer` over SMTP. A message's id is its notice's, so that a second copy is known as one."""

    def __init__(self, url: str, sender: str, portal: str, console: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise MailSettingUnusable("expected smtp://host:port or smtps://host:port", given=parts.scheme or "nothing")
        self._parts = parts
        self._sender = sender
        self._domain = sender.rpartition("@")[2].rstrip(">")
        self._portal = portal.rstrip("/")
        self._console = console.rstrip("/")

    def send(self, addressed: Addressed) -> str:
        """Hand a notice to the server and return its message id; smtplib's errors and OSError come as they are."""
        message = self.message(addressed)
        self._deliver(message)
        return str(message["Message-ID"])

    def sign_in_link(self, address: str, link: str) -> None:
        """Mail a sign-in link; smtplib's errors and OSError come as they are."""
        message = EmailMessage()
        message["Subject"] = "Your link to sign in"
        message["From"] = self._sender
        message["To"] = address
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._domain)
        message.set_content(
            f"Open this link and confirm, to see your usage and invoices:\n\n{link}\n\n"
            "It works once, for half an hour. If you did not ask for it, leave it alone: nothing happens.\n",
            cte="8bit",
        )
        self._deliver(message)

    def _deliver(self, message: EmailMessage) -> None:
        host, port = str(self._parts.hostname), self._parts.port or 0
        if self._parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(host, port, timeout=SECONDS)
        with server:
            server.ehlo()
            if self._parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if self._parts.username:
                server.login(unquote(self._parts.username), unquote(self._parts.password or ""))
            for refused in server.send_message(message):  # the others have it: sent again, it would come twice to them
                log.warning("the mail server takes nothing for one of several addresses", extra={"address": refused})

    def message(self, addressed: Addressed) -> EmailMessage:
        """Return a notice as a message of two parts that say the same."""
        notice = addressed.notice
        link = f"{self._console if notice.kind in FOR_FINANCE else self._portal}{notice.path}"
        closing = [f"To have no such mail any more: {self._portal}/settings"] if notice.kind in CHOICES else []
        message = EmailMessage()
        message["Subject"] = notice.subject
        message["From"] = self._sender
        message["To"] = addressed.to
        message["Date"] = format_datetime(notice.written_at)
        message["Message-ID"] = f"<{notice.fingerprint()[:32]}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        if closing:
            message["List-Unsubscribe"] = f"<{self._portal}/settings>"
        message.set_content("\n\n".join([*notice.sentences, link, *closing]) + "\n")
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in notice.sentences)
        said += f'<p><a href="{escape(link)}">{escape(link)}</a></p>'
        said += "".join(f"<p>{escape(one)}</p>" for one in closing)
        message.add_alternative(
            f'<!doctype html><html lang="en"><title>{escape(notice.subject)}</title><body>{said}</body></html>',
            subtype="html",
        )
        return message
