"""Rate versions: one dated fact of a rate card, with where it comes from."""

from decimal import localcontext

from pydantic import Field

from models.money import Currency
from models.usage import Dimensions, Identifier
from models.value import Day, Instant, NotNegative, Positive, Value, instant_text

_DIGITS = 80  # a price that was a float has 24 digits, and a unit may have as many


class RateVersion(Value):
    """The price of a meter (where its dimensions match) from an instant until the next version of the same rate.

    The price is `amount` per `per` units, both exact: the quotient is never stored.
    """

    rate: Identifier  # the card, e.g. list-2026
    meter: Identifier
    where: Dimensions = {}
    starts_at: Instant = Field(alias="from")
    amount: NotNegative
    per: Positive
    currency: Currency
    source: str = Field(min_length=1)  # the notice or page the fact was read from
    checked_on: Day
    approved_by: str | None = None  # who let it into the catalog; told on every line it prices

    @property
    def subject(self) -> str:
        """What it prices: card, meter and dimensions. Versions of one subject never overlap."""
        where = ",".join(f"{key}={value}" for key, value in sorted(self.where.items()))
        return f"{self.rate}/{self.meter}" + (f"[{where}]" if where else "")

    @property
    def id(self) -> str:
        """The version's id: card, meter, dimensions and start."""
        return f"{self.subject}@{instant_text(self.starts_at)}"

    def bare(self) -> "RateVersion":
        """Return the version alone, as it is proposed: nobody has approved it."""
        return self.model_copy(update={"approved_by": None})

    @property
    def told(self) -> str:
        """Where the price comes from, in words: the notice, when it was checked, who approved it."""
        approved = f", approved by {self.approved_by}" if self.approved_by else ""
        return f"{self.source}, checked {self.checked_on}{approved}"

    def same_price(self, other: "RateVersion") -> bool:
        """Return whether both say the same price, compared exactly: 3 for 1,000 is 0.003 for 1."""
        with localcontext() as context:
            context.prec = _DIGITS
            mine, theirs = self.amount * other.per, other.amount * self.per
        return self.currency == other.currency and mine == theirs
