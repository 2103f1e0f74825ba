"""Price tables: what somebody else's table says of the rates we keep, read in one place for each table."""

from pydantic import Field

from models.rate_card import RateVersion
from models.usage import Identifier
from models.value import Instant, Value


class LeftOut(Value):
    """A price a table has that is not one amount for so many units, or that it cannot be read for; never flattened."""

    provider: str
    model: str
    why: str


class Listing(Value):
    """The versions a table lists for the models asked for.

    `dated`: its versions begin when the table says; otherwise the table only tells what it said on `as_of`, and
    since when is not known. Then every version begins at `as_of`.
    """

    table: Identifier
    dated: bool
    as_of: Instant
    versions: tuple[RateVersion, ...]
    left_out: tuple[LeftOut, ...] = Field(default=())
