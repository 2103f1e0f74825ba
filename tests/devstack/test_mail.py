"""Mail of the stack: the real SMTP client's message is kept whole, over a kill too."""

from __future__ import annotations

import pytest

from adapters.mail import SmtpMailer
from devstack.up import Stack
from tests.adapters.test_mail import a_notice

pytestmark = pytest.mark.stack


def test_a_message_is_kept_whole_and_survives_a_kill(stack: Stack) -> None:
    before = len(stack.mail.messages)
    mailer = SmtpMailer(stack.endpoints.smtp_url, "billing@tieout.example", "https://portal.example")
    message_id = mailer.send(a_notice())
    stack.mail.kill()
    with pytest.raises(OSError, match="refused"):
        mailer.send(a_notice())
    stack.mail.start()
    mailer.send(a_notice())
    first, second = stack.mail.messages[before:]
    assert first["Message-ID"] == second["Message-ID"] == message_id
    assert first["To"] == "ap@acme.example"
    text = first.get_body(("plain",))
    assert text is not None
    assert "Due: 12.00 USD." in text.get_content()
