"""Mail: text and HTML say the same, nothing of a notice becomes markup, and a server gets it once a call."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest

from adapters.mail import MailSettingUnusable, SmtpMailer
from models.notice import Addressed, Notice, NoticeKind

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
MAILER = SmtpMailer(
    "smtp://127.0.0.1:25", "Tieout <billing@tieout.example>", "https://portal.example/", "https://console.example"
)


def a_notice(kind: NoticeKind = NoticeKind.INVOICE_READY, **more: object) -> Addressed:
    """Return a notice to somebody."""
    notice = Notice.model_validate(
        {
            "id": f"{kind}/1",
            "kind": kind,
            "customer": "acme",
            "period": "2026-10",
            "subject": "Invoice 1",
            "sentences": ("Due: 12.00 USD.", "Because of <b>calls</b> & more."),
            "path": "/invoices/2026-10@1/acme/USD",
            "written_at": AT,
            **more,
        }
    )
    return Addressed(notice=notice, to="ap@acme.example")


def parts(addressed: Addressed) -> tuple[str, str]:
    """Return a message's text and HTML."""
    text, html = MAILER.message(addressed).iter_parts()
    return text.get_content(), html.get_content()


@pytest.mark.parametrize("kind", NoticeKind)
def test_text_and_html_say_the_same(kind: NoticeKind) -> None:
    text, html = parts(a_notice(kind))
    body = html.partition("<body>")[2].partition("</body>")[0]
    said = [unescape(re.sub(r"<[^>]+>", "", part)) for part in re.findall(r"<p>(.*?)</p>", body)]
    assert said == [part for part in text.strip().split("\n\n") if part]


def test_what_a_notice_says_is_text_in_html() -> None:
    _, html = parts(a_notice())
    assert "<b>" not in html
    assert "&lt;b&gt;calls&lt;/b&gt; &amp; more" in html


def test_the_link_is_the_portals() -> None:
    text, _ = parts(a_notice())
    assert "https://portal.example/invoices/2026-10@1/acme/USD" in text


def test_a_way_out_is_offered_where_one_may_opt_out_and_nowhere_else() -> None:
    assert MAILER.message(a_notice())["List-Unsubscribe"] is None
    assert MAILER.message(a_notice(NoticeKind.POOL_USED))["List-Unsubscribe"] == "<https://portal.example/settings>"


def test_finance_is_sent_to_the_console_at_every_address_and_has_nothing_to_opt_out_of() -> None:
    told = a_notice(NoticeKind.WATCH_ALERT, path="/close").model_copy(
        update={"to": "fin@lumen.example, cfo@lumen.example"}
    )
    message = MAILER.message(told)
    assert [one.addr_spec for one in message["To"].addresses] == ["fin@lumen.example", "cfo@lumen.example"]
    assert message["List-Unsubscribe"] is None
    assert "https://console.example/close" in parts(told)[0]


def test_a_message_has_the_id_of_its_notice() -> None:
    once, again = MAILER.message(a_notice()), MAILER.message(a_notice())
    assert once["Message-ID"] == again["Message-ID"] != MAILER.message(a_notice(id="invoice_ready/2"))["Message-ID"]
    assert once["Message-ID"].endswith("@tieout.example>")


def test_a_subject_cannot_add_a_header() -> None:
    with pytest.raises(ValueError, match="Header values may not contain linefeed"):
        MAILER.message(a_notice(subject="Invoice\nBcc: everybody@example.com"))


@pytest.mark.parametrize("url", ["", "mail.example", "http://mail.example", "smtp://"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(MailSettingUnusable):
        SmtpMailer(url, "a@b", "https://portal.example")
