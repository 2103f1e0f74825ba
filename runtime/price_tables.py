"""Price tables by the name a person gives: which adapter reads which, and what the catalog asks of it."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Protocol

from adapters import genai, litellm, model_prices
from billing import rate_drift
from models.price_table import LeftOut, Listing
from models.rate_card import RateVersion
from models.rate_change import RateProposal
from models.refusal import Refusal
from models.value import Value

TABLES = ("genai", "litellm=FILE", "model-prices=FILE")


class UnknownTable(Refusal):
    """No adapter reads this table."""

    remedy = f"Name one of {', '.join(TABLES)}."


class Compared(Value):
    """A table compared with the catalog: what it says otherwise, and what could not be compared."""

    table: str
    proposals: tuple[RateProposal, ...]
    left_out: tuple[LeftOut, ...]


def compare(source: str, catalog: tuple[RateVersion, ...], now: datetime) -> Compared:
    """Return what a table says otherwise than the catalog, for the models of every card.

    `source` is genai (the installed package), litellm=FILE or model-prices=FILE. LiteLLM's file says nothing of when
    it was current: its name may begin with the day, as 2026-10-01.….json does; else it is taken as of now.

    Raises:
        UnknownTable, or the table's own refusal of its file.
    """
    proposals: list[RateProposal] = []
    left_out: list[LeftOut] = []
    table = source.partition("=")[0]
    read = _reader(source, now)
    for card, models in _models(catalog).items():
        kept = [one for one in catalog if one.rate == card]
        since = min(one.starts_at for one in kept).date()
        listing = read(card, sorted(models), since)
        table = listing.table
        proposals += rate_drift.proposals(kept, listing, datetime.combine(since, time(), UTC))
        left_out += listing.left_out
    return Compared(table=table, proposals=tuple(proposals), left_out=tuple(left_out))


class _Reader(Protocol):
    def __call__(self, card: str, models: Iterable[tuple[str, str]], since: date, /) -> Listing: ...


def _reader(source: str, now: datetime) -> _Reader:
    name, _, file = source.partition("=")
    match name, bool(file):
        case "genai", False:
            return lambda card, models, since: genai.listing(card, models, since, now)
        case "litellm", True:
            table, as_of = litellm.read(Path(file)), _day_of(Path(file)) or now
            return lambda card, models, _since: litellm.listing(table, card, models, as_of)
        case "model-prices", True:
            snapshot = model_prices.read(Path(file))
            return lambda card, models, since: model_prices.listing(snapshot, card, models, since)
        case _:
            raise UnknownTable("no adapter reads this table", table=source)


def _day_of(path: Path) -> datetime | None:
    """Return the midnight in UTC of the day a file's name begins with, or None."""
    found = re.match(r"\d{4}-\d\d-\d\d(?=\.)", path.name)
    return datetime.combine(date.fromisoformat(found.group()), time(), UTC) if found else None


def _models(catalog: Iterable[RateVersion]) -> dict[str, set[tuple[str, str]]]:
    """Return the (provider, model) pairs of each card."""
    found: dict[str, set[tuple[str, str]]] = {}
    for one in catalog:
        if {"provider", "model"} <= set(one.where):
            found.setdefault(one.rate, set()).add((one.where["provider"], one.where["model"]))
    return found
