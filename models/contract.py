"""Contract: one version of what was agreed with a customer, every clause a field."""

import re
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from models.money import Currency
from models.period import Period, Zone, days_period, midnight
from models.price import Every, Price, _listed
from models.usage import Dimensions, Identifier
from models.value import Day, NotNegative, Positive, Value, instant_text

SCHEMA = "tieout/contract/v1"
RESERVED_IDS = frozenset({"usage", "tax"})
"""Words the books use for what no clause names; a clause may not take them as its id."""

Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], BeforeValidator(_listed)]
"""A tuple, from a list as well: files have lists."""


def _pattern(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9*][A-Za-z0-9._:@/*-]{0,127}", text):
        raise ValueError(f"expected a name or a pattern such as llm.*, got {text!r}")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
"""A name in which `*` stands for any text."""


def _moment(raw: Any) -> Any:
    if not isinstance(raw, str):
        if isinstance(raw, datetime) and raw.tzinfo is None:
            raise ValueError(f"expected an instant with its zone, got {raw.isoformat()}")
        return raw
    try:
        if len(raw) <= len("2026-10-01"):
            return date.fromisoformat(raw)
        at = datetime.fromisoformat(raw)
    except ValueError:
        raise ValueError(f"expected a date such as 2026-10-01, or an instant with its zone, got {raw!r}") from None
    if at.tzinfo is None:
        raise ValueError(f"expected an instant with its zone, got {raw}")
    return at


def _moment_text(moment: date) -> str:
    return instant_text(moment) if isinstance(moment, datetime) else moment.isoformat()


Moment = Annotated[datetime | date, BeforeValidator(_moment), PlainSerializer(_moment_text, when_used="json")]
"""A local day of the contract (its midnight) or an instant with its zone."""


def _texts(raw: Any) -> Any:
    """Return dimension values as text: `own_key: true` and `tier: 2` are written without quotes in files."""
    if isinstance(raw, dict):
        return {key: _text(value) for key, value in raw.items()}
    return raw


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


Where = Annotated[Dimensions, BeforeValidator(_texts, json_schema_input_type=dict[str, str | bool | int])]


def _scope(raw: Any) -> Any:
    return {} if raw == "all" else raw


def _fees(raw: Any) -> Any:
    return ("*",) if raw in ("all", True) else _listed(raw)


def _tags(raw: Any) -> Any:
    if isinstance(raw, list | tuple):
        return {"tag": tuple(raw)}
    if isinstance(raw, dict):
        return {
            key: (_text(value),) if isinstance(value, str | bool | int) else _listed(value)
            for key, value in raw.items()
        }
    return raw


_FeesInput = tuple[Pattern, ...] | Literal["all", True]
_TagValue = str | bool | int
_TagsInput = tuple[str, ...] | dict[str, _TagValue | tuple[str, ...]]


class Scope(Value):
    """What a clause speaks of. A key that is left out does not narrow; fees are in only when named.

    `meters: []` leaves all usage out (a credit for the platform fee alone). `tags` are dimensions with the
    values that fit; a plain list is read as values of the dimension `tag`.
    """

    meters: Many[Pattern] | None = None
    models: Many[str] | None = None
    tags: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_tags, json_schema_input_type=_TagsInput)] = {}
    fees: Annotated[tuple[Pattern, ...], BeforeValidator(_fees, json_schema_input_type=_FeesInput)] = ()

    def holds(self, meter: str, dimensions: Dimensions) -> bool:
        """Return whether usage of this meter and these dimensions is in scope."""
        return (
            (self.meters is None or any(fnmatchcase(meter, pattern) for pattern in self.meters))
            and (self.models is None or any(fnmatchcase(dimensions.get("model", ""), each) for each in self.models))
            and all(dimensions.get(tag) in fitting for tag, fitting in self.tags.items())
        )

    def holds_fee(self, fee: str) -> bool:
        """Return whether a fee is in scope."""
        return any(fnmatchcase(fee, pattern) for pattern in self.fees)

    @property
    def width(self) -> tuple[int, int, int, int]:
        """How wide it is, the narrowest first: tags named, models named, meter patterns and their length."""
        return (
            -len(self.tags),
            0 if self.models is not None else 1,
            0 if self.meters is not None else 1,
            -min((len(pattern.replace("*", "")) for pattern in self.meters or ()), default=0),
        )


ScopeField = Annotated[Scope, BeforeValidator(_scope, json_schema_input_type=Scope | Literal["all"])]


class Term(Value):
    """The days a contract runs, the last excluded."""

    starts_on: Day = Field(alias="start")
    ends_on: Day = Field(alias="end")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_on <= self.starts_on:
            raise ValueError(f"the term ends on {self.ends_on}, which is not after its start {self.starts_on}")
        return self


class InvoiceTerms(Value):
    """How it is invoiced. `anchor` is the day of the month on which billing periods begin; None: calendar months."""

    net_days: int = Field(default=30, ge=0)
    purchase_order: str | None = None
    group_by: Many[str] = ("meter",)
    anchor: int | None = Field(default=None, ge=1, le=31)


class PriceClause(Value):
    """The price of a meter (or pattern) where dimensions match, from a moment on."""

    meter: Pattern
    where: Where = {}
    starts_at: Moment | None = Field(default=None, alias="from")
    price: Price


class Rollover(Value):
    """What of a remainder is carried at a reset: clamped to [min, max]; the carried part has its own expiry."""

    max: NotNegative
    min: NotNegative = Decimal(0)
    expires_after: Every | None = None  # None: with the window it was carried into

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Fee(Value):
    """A fixed amount for each window, billed before it (advance) or when it ends (arrears)."""

    id: Identifier
    amount: NotNegative
    every: Every = "month"
    timing: Literal["advance", "arrears"] = "advance"
    prorate: Literal["actual_days", "fixed_30", "none"] = "actual_days"
    align: Literal["term", "calendar"] | None = None  # None: calendar for week and month, else term
    ratable: Literal["daily", "monthly"] | None = None  # how it is earned; None: the entity's policy
    name: str | None = None


class Entitlement(Value):
    """Units of a meter that are included in each window, first in time."""

    id: Identifier
    meter: Pattern
    where: Where = {}
    included: NotNegative
    every: Every = "month"
    rollover: Rollover | None = None


class UnitShortfall(Value):
    """What each unit short of the floor costs."""

    unit_amount: NotNegative


class Overage(Value):
    """Terms past exhaustion: a multiplier on the contract's price, or prices of its own."""

    multiplier: NotNegative | None = None
    prices: Many[PriceClause] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.multiplier is None) == (not self.prices):
            raise ValueError("overage has either a `multiplier` or `prices`")
        return self


class Commitment(Value):
    """An amount (or units) promised for each window: a prepaid pool (advance) or a floor (arrears)."""

    id: Identifier
    amount: NotNegative | None = None
    units: Positive | None = None
    meter: Pattern | None = None
    ramp: Many[NotNegative] = ()  # amounts of the first, second, … window; the last one stays
    every: Every
    scope: ScopeField = Scope()
    billing: Literal["advance", "arrears"]
    shortfall: Literal["invoice", "forfeit"] | UnitShortfall | None = None
    overage: Overage | None = None
    rollover: Rollover | None = None
    breakage: Literal["remote", "expected"] | None = None  # this and the next three: None is the entity's policy
    carries_forward: bool | None = None  # may a billed shortfall be used later
    refundable: bool | None = None  # is what remains at its expiry paid back
    unclaimed_property: bool | None = None  # is what remains at its expiry somebody else's by law
    installments: Every | None = None
    prorate: bool = False
    align: Literal["term", "calendar"] | None = None
    counts_outward: bool = True
    counts_promotional: bool = False
    counts_prepaid: bool = True

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if sum(promised is not None for promised in (self.amount, self.units)) + bool(self.ramp) != 1:
            raise ValueError("a commitment promises one of `amount`, `units` and `ramp`")
        if (self.units is None) != (self.meter is None):
            raise ValueError("`units` and `meter` belong together")
        if self.units is not None and self.billing == "advance":
            raise ValueError("a prepaid commitment has an `amount`; units are promised in arrears")
        if self.units is not None and self.shortfall == "invoice":
            raise ValueError("a shortfall of units needs a price: shortfall: {unit_amount: ...}")
        if self.units is None and isinstance(self.shortfall, UnitShortfall):
            raise ValueError("`unit_amount` prices a commitment in units; this one is in money")
        if self.billing == "advance" and self.shortfall == "invoice":
            raise ValueError("a prepaid commitment is paid already; its shortfall is forfeited")
        if self.billing == "arrears" and (self.rollover is not None or self.installments is not None):
            raise ValueError("rollover and installments belong to a prepaid commitment")
        return self

    @property
    def prepaid(self) -> bool:
        """Whether it is a pool paid before use."""
        return self.billing == "advance"


class Reset(Value):
    """A moment at which a credit's balance is set back to its amount.

    With `preserve_overage` the new balance first pays what was left unpaid of the usage since the balance before began.
    """

    at: Moment
    preserve_overage: bool = False


class VirtualCurrency(Value):
    """A unit of credit that is no money: its code, digits and what one is worth in the contract's currency."""

    code: Identifier
    digits: int = Field(default=0, ge=0, le=12)
    unit_amount: Positive


class Credit(Value):
    """A grant that pays what is due inside its window, [effective, expires)."""

    id: Identifier
    kind: Literal["paid", "promotional"]
    amount: Positive
    cost: NotNegative | None = None  # what is paid for it; None: its amount where paid, nothing where promotional
    effective: Moment
    expires: Moment | None = None
    priority: int = 50
    scope: ScopeField = Scope()
    bundled_with: Identifier | None = None
    created: Moment | None = None  # None: by the order of the file
    voided: Moment | None = None
    every: Every | None = None  # refilled so often
    anchor: int | None = Field(default=None, ge=1, le=31)
    rollover: Rollover | None = None
    resets: Many[Reset] = ()
    pays_earlier_overage: bool = False
    currency: Currency | VirtualCurrency | None = None
    breakage: Literal["remote", "expected"] | None = None  # this and the next two: None is the entity's policy
    refundable: bool | None = None
    unclaimed_property: bool | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.kind == "promotional" and self.cost:
            raise ValueError("nothing is paid for a promotional credit; one that is bought is `kind: paid`")
        if self.anchor is not None and self.every is None:
            raise ValueError("`anchor` is the day of a refill; say how often: `every`")
        if self.expires is not None and type(self.expires) is type(self.effective) and self.expires <= self.effective:
            raise ValueError(f"credit {self.id} expires at {self.expires}, not after it is effective {self.effective}")
        return self

    @property
    def price(self) -> Decimal:
        """What the customer pays for the grant, in the contract's currency."""
        if self.cost is not None:
            return self.cost
        worth = self.currency.unit_amount if isinstance(self.currency, VirtualCurrency) else Decimal(1)
        return self.amount * worth if self.kind == "paid" else Decimal(0)


class Discount(Value):
    """A percent, an amount or units off, on what remains after the ones before it; `until` is excluded."""

    id: Identifier
    percent: Annotated[NotNegative, Field(le=100)] | None = None
    amount: NotNegative | None = None
    units: NotNegative | None = None
    meter: Pattern | None = None
    every: Every = "month"
    scope: ScopeField = Scope()
    starts_at: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(off is not None for off in (self.percent, self.amount, self.units)) != 1:
            raise ValueError("a discount has one of `percent`, `amount` and `units`")
        if self.units is not None and self.meter is None:
            raise ValueError("a discount of units names its `meter`")
        return self


class Bound(Value):
    """A floor or a cap on what a scope is billed in each window."""

    id: Identifier
    amount: NotNegative
    every: Every = "month"
    scope: ScopeField = Scope()


class Fx(Value):
    """Where exchange rates come from, and the currency of the invoice."""

    source: Identifier
    invoice_currency: Currency


class Tax(Value):
    """A tax on what is sold, as a ratio."""

    rate: NotNegative
    jurisdiction: Identifier


class Limits(Value):
    """How far back late usage is billed, in days before the start of the open period."""

    backdating_days: int = Field(default=35, ge=0)


class ApprovalTerms(Value):
    """How careful the approval of this contract's statements is."""

    risk: Literal["low", "normal", "high"] = "normal"


def _taxes(raw: Any) -> Any:
    return (raw,) if isinstance(raw, dict | Tax) else _listed(raw)


def _unique(items: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [item.jurisdiction for item in items]
    if len(set(names)) != len(names):
        raise ValueError("two taxes have the same jurisdiction")
    return items


class Contract(Value):
    """One version of the terms agreed with a customer; an amendment is another version with `effective`."""

    schema_: Literal["tieout/contract/v1"] = Field(alias="schema")
    contract: Identifier
    customer: Identifier
    name: str | None = None
    email: str | None = None
    currency: Currency
    timezone: Zone
    term: Term
    effective: Day | None = None
    invoice: InvoiceTerms = InvoiceTerms()
    rate_card: Identifier | None = None
    prices: Many[PriceClause] = ()
    fees: Many[Fee] = ()
    entitlements: Many[Entitlement] = ()
    commitments: Many[Commitment] = ()
    credits: Many[Credit] = ()
    discounts: Many[Discount] = ()
    minimums: Many[Bound] = ()
    maximums: Many[Bound] = ()
    fx: Fx | None = None
    tax: Annotated[
        tuple[Tax, ...], BeforeValidator(_taxes, json_schema_input_type=Tax | tuple[Tax, ...]), AfterValidator(_unique)
    ] = ()
    limits: Limits = Limits()
    approval: ApprovalTerms = ApprovalTerms()

    @model_validator(mode="after")
    def _clauses_have_names_of_their_own(self) -> Self:
        seen: set[str] = set()
        for clause in self.named_clauses:
            if clause.id in seen or clause.id in RESERVED_IDS:
                raise ValueError(f"the id {clause.id!r} is taken; every clause has an id of its own")
            seen.add(clause.id)
        return self

    @model_validator(mode="after")
    def _dates_lie_in_the_term(self) -> Self:
        if self.effective is not None and not self.term.starts_on <= self.effective < self.term.ends_on:
            raise ValueError(f"the amendment is effective on {self.effective}, outside the term")
        span = self.span
        for credit in self.credits:
            starts_at = self.instant(credit.effective)
            if starts_at not in span:
                raise ValueError(f"credit {credit.id} is effective at {credit.effective}, outside the term")
            if credit.expires is not None and self.instant(credit.expires) <= starts_at:
                raise ValueError(f"credit {credit.id} expires at {credit.expires}, not after it is effective")
        for price in self.prices:
            if price.starts_at is not None and self.instant(price.starts_at) >= span.ends_at:
                raise ValueError(f"the price of {price.meter} from {price.starts_at} begins after the term")
        return self

    @model_validator(mode="after")
    def _credits_name_their_purchase(self) -> Self:
        paid = {credit.id for credit in self.credits if credit.kind == "paid"}
        for credit in self.credits:
            if credit.bundled_with is not None and credit.bundled_with not in paid:
                raise ValueError(f"credit {credit.id} is bundled with {credit.bundled_with}, which is no paid credit")
        return self

    @property
    def version(self) -> str:
        """The id of this version: contract and the day it takes effect."""
        return f"{self.contract}@{(self.effective or self.term.starts_on).isoformat()}"

    @property
    def span(self) -> Period:
        """The term as instants."""
        return days_period(self.term.starts_on, self.term.ends_on, self.timezone)

    @property
    def starts_at(self) -> datetime:
        """The instant this version takes effect."""
        return midnight(self.effective or self.term.starts_on, self.timezone)

    @property
    def named_clauses(self) -> tuple["Clause", ...]:
        """Every clause that has an id, in the order of the file format."""
        return (
            *self.fees,
            *self.entitlements,
            *self.commitments,
            *self.credits,
            *self.discounts,
            *self.minimums,
            *self.maximums,
        )

    def instant(self, moment: date) -> datetime:
        """Return a moment as an instant: a day is its local midnight."""
        return moment if isinstance(moment, datetime) else midnight(moment, self.timezone)


Clause = Fee | Entitlement | Commitment | Credit | Discount | Bound
