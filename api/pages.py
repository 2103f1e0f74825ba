"""Pages: a cursor names the row after which the next page begins, and the knowledge the first page was made of."""

import base64
import binascii
import json
from datetime import datetime
from http import HTTPStatus

from api.problem import Problem
from models.rate_change import KnownRate
from models.value import Value, instant_text


class Cursor(Value):
    """Where a page ended, and as known at which instant; a change meanwhile moves nothing."""

    subject: str
    starts_at: str
    known_at: str

    def text(self) -> str:
        """Return it as an opaque word for a URL."""
        return base64.urlsafe_b64encode(self.canonical().encode()).decode().rstrip("=")

    @classmethod
    def of(cls, last: KnownRate, known_at: datetime) -> "Cursor":
        """Return the cursor after a row."""
        return cls(
            subject=last.version.subject,
            starts_at=instant_text(last.version.starts_at),
            known_at=instant_text(known_at),
        )

    @property
    def place(self) -> tuple[str, datetime]:
        """Where the page ended, as rows are ordered."""
        return self.subject, datetime.fromisoformat(self.starts_at)


def cursor_from(text: str) -> Cursor:
    """Return the cursor of a word we gave out; raises Problem on any other."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = Cursor.model_validate(json.loads(raw))
        datetime.fromisoformat(cursor.starts_at), datetime.fromisoformat(cursor.known_at)
    except (ValueError, binascii.Error) as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", "this cursor is none of ours") from error
    return cursor
