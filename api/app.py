"""The app: three questions about rates, each answered from one edition of the catalog."""

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from api import problem
from api.access import Keys, needs
from api.answers import tagged
from api.index import Catalog, Edition, Index
from api.limiting import Guarded, Limits
from api.pages import MOST, Cursor, at_place
from api.problem import Problem
from billing import quote as rule
from models.access import Scope
from models.rate_change import KnownRate
from models.usage import Dimensions
from models.value import Exact, Frozen, Instant, instant_text

MOST_LINES = 1_000
MOST_BYTES = 1_000_000
"""Of a quote: so many lines, with a thousand bytes each."""


class Clock(Protocol):
    """The present instant, in UTC."""

    def now(self) -> datetime:
        """Return it."""
        ...


class Rate(Frozen):
    """A rate version with both its times."""

    id: str
    fingerprint: str = Field(description="SHA-256 of what it says; a corrected version has the id of the wrong one")
    card: str
    meter: str
    dimensions: Dimensions
    amount: Exact = Field(description="exact, for `per` units; the quotient is never stored")
    per: Exact
    currency: str
    effective_from: Instant
    effective_until: Instant | None = Field(description="excluded")
    recorded_at: Instant
    recorded_until: Instant | None = Field(description="excluded; null: this is what is known now")
    source: str
    checked_on: str
    proposed_by: str
    approved_by: str


class RatePage(Frozen):
    """A page of rates, by card, meter, dimensions and start."""

    rates: tuple[Rate, ...]
    as_known_at: Instant
    next: str | None = Field(description="cursor of the next page, for the same filters; null on the last")


class RateHistory(Frozen):
    """What is known under an id, and everything that was known under it before."""

    rate: Rate
    history: tuple[Rate, ...] = Field(description="oldest knowledge first, the rate itself among it")


class QuoteLine(Frozen):
    """A usage to be priced."""

    meter: str
    dimensions: Dimensions = {}
    quantity: Exact
    at: Instant


class QuoteRequest(Frozen):
    """Usages to be priced at a card's list prices."""

    card: str
    lines: Annotated[list[QuoteLine], Field(min_length=1, max_length=MOST_LINES)]
    as_known_at: Instant | None = None


class QuotedLine(Frozen):
    """What a line costs."""

    line: int
    version: str
    version_fingerprint: str
    source: str
    unit_amount: Exact
    per: Exact
    quantity: Exact
    exact: Exact = Field(description="before rounding; a quotient without a last digit to forty places")
    amount: Exact = Field(description="rounded half away from zero to the currency's minor unit")
    currency: str


class QuoteAnswer(Frozen):
    """The price of each line, and the sum of the rounded ones by currency."""

    card: str
    lines: tuple[QuotedLine, ...]
    totals: dict[str, Exact]


class Healthy(BaseModel):
    """That the catalog is served, and its head."""

    head: int


def app_of(catalog: Catalog, keys: Keys, clock: Clock, limits: Limits) -> FastAPI:
    """Return the rate API over a catalog."""
    app = FastAPI(
        title="Tieout rate API",
        version="1",
        description="One catalog of rates in both times, and what a usage costs at its instant.",
        docs_url=None,
        redoc_url=None,
        responses=problem.RESPONSES,
        dependencies=[Depends(problem.refuse_unknown)],
    )
    problem.told_by(app)
    app.add_middleware(Guarded, most=MOST_BYTES)
    index = Index(catalog)

    @app.get("/v1/rates", response_model=RatePage, dependencies=[Depends(needs(keys, Scope.RATES_READ, limits))])
    def rates(
        request: Request,
        card: str | None = None,
        meter: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        at: Annotated[Instant | None, Query(description="in force at this instant")] = None,
        as_known_at: Annotated[Instant | None, Query(description="as known at this instant; now")] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> Response:
        """List rate versions, a page at a time; later pages are of the same knowledge as the first."""
        edition = index.edition()
        after = Cursor.from_word(cursor, timed=True) if cursor else None
        pinned = datetime.fromisoformat(after.known_at) if after and after.known_at else as_known_at
        known_at = pinned or edition.present(clock.now())
        asked = {"provider": provider, "model": model}
        dimensions = {name: value for name, value in asked.items() if value is not None}
        found = [
            row
            for row in _after(edition, after)
            if row.known(known_at)
            and (at is None or row.holds(at))
            and card in (None, row.version.rate)
            and meter in (None, row.version.meter)
            and dimensions.items() <= row.version.where.items()
        ]
        page = found[:limit]
        more = len(found) > limit
        last = Cursor(after=_place(page[-1]), known_at=instant_text(known_at)) if more else None
        answer = RatePage(
            rates=tuple(map(_rate, page)), as_known_at=known_at, next=last.text() if last is not None else None
        )
        said = answer.model_dump_json(exclude={"as_known_at", "next"}) + f"{edition.head}"
        return tagged(request, answer, None if pinned else said)

    @app.get(
        "/v1/rates/{rate_id:path}",
        response_model=RateHistory,
        dependencies=[Depends(needs(keys, Scope.RATES_READ, limits))],
    )
    def rate(request: Request, rate_id: str, as_known_at: Instant | None = None) -> Response:
        """Return the version of this id as known at an instant, and all that was ever known under it."""
        edition = index.edition()
        rows = edition.by_id.get(rate_id, ())
        known = [row for row in rows if row.known(as_known_at or edition.present(clock.now()))]
        if not known:
            raise Problem(HTTPStatus.NOT_FOUND, "no_rate", f"nothing is known under the id {rate_id}")
        return tagged(request, RateHistory(rate=_rate(known[-1]), history=tuple(map(_rate, rows))))

    @app.post("/v1/quote", response_model=QuoteAnswer, dependencies=[Depends(needs(keys, Scope.QUOTE, limits))])
    def quote(request: Request, asked: QuoteRequest) -> Response:
        """Price usages at a card's list prices, each by the version in force at its instant."""
        book = index.edition().book_known_at(asked.as_known_at)
        lines = [
            rule.Asked(meter=one.meter, dimensions=one.dimensions, quantity=one.quantity, at=one.at)
            for one in asked.lines
        ]
        quoted = rule.quote(book, asked.card, lines)
        return tagged(
            request,
            QuoteAnswer(
                card=asked.card,
                lines=tuple(_quoted(number, one) for number, one in enumerate(quoted)),
                totals=rule.amount_of(quoted),
            ),
        )

    @app.get("/healthz", response_model=Healthy)
    def healthz() -> Healthy:
        """Return the catalog's head: the books answer."""
        return Healthy(head=index.edition().head)

    return app


def _after(edition: Edition, cursor: Cursor | None) -> Iterator[KnownRate]:
    """Yield the rows after a cursor, in order."""
    for subject, rows in edition.by_subject.items():
        if cursor is not None and subject < cursor.after[0]:
            continue
        for row in rows:
            if cursor is None or _place(row) > cursor.after:
                yield row


def _place(row: KnownRate) -> tuple[str, ...]:
    return row.version.subject, at_place(row.version.starts_at)


def _rate(row: KnownRate) -> Rate:
    version = row.version
    return Rate(
        id=version.id,
        fingerprint=version.fingerprint(),
        card=version.rate,
        meter=version.meter,
        dimensions=version.where,
        amount=version.amount,
        per=version.per,
        currency=version.currency,
        effective_from=version.starts_at,
        effective_until=row.effective_until,
        recorded_at=row.recorded_at,
        recorded_until=row.recorded_until,
        source=version.source,
        checked_on=version.checked_on.isoformat(),
        proposed_by=row.proposed_by,
        approved_by=row.approved_by,
    )


def _quoted(number: int, one: rule.Quoted) -> QuotedLine:
    return QuotedLine(
        line=number,
        version=one.version.id,
        version_fingerprint=one.version.fingerprint(),
        source=one.version.source,
        unit_amount=one.version.amount,
        per=one.version.per,
        quantity=one.quantity,
        exact=one.exact,
        amount=one.amount,
        currency=one.currency,
    )
