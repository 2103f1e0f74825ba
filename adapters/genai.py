"""genai-prices: the installed table of model prices, effective-dated, as rate versions of a card.

https://github.com/pydantic/genai-prices : of a model's alternatives the last whose constraint holds is the
price; a start date begins at 00:00 UTC. Prices of the day's hours and request-size tiers are not unit prices
and are left out by name, never flattened.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices.data import providers

from models.price_table import LeftOut, Listing
from models.rate_card import RateVersion
from models.refusal import Refusal

MILLION = Decimal(1_000_000)
FIELDS = {
    "llm.input_tokens": "input_mtok",
    "llm.cached_tokens": "cache_read_mtok",
    "llm.output_tokens": "output_mtok",
}


class UnknownModel(Refusal):
    """The table has no such model of this provider."""

    remedy = "Name it as the table does, or add its rates from a file of dated facts."


class NotAUnitPrice(Refusal):
    """The table prices this model by tiers or times of day."""

    remedy = "Add its rates from a file of dated facts, as the contract has them."


def rate_versions(
    card: str, models: Iterable[tuple[str, str]], since: date, checked_on: date
) -> tuple[RateVersion, ...]:
    """Return the versions of each (provider, model)'s token rates; what is undated is in force `since` a day.

    Raises:
        UnknownModel, NotAUnitPrice: naming the model.
    """
    source = f"genai-prices {version('genai-prices')}"
    found = []
    for provider, model in models:
        for starts_on, prices in _alternatives(provider, model, since):
            for meter, field in FIELDS.items():
                amount = getattr(prices, field, None)
                if amount is None:
                    continue
                if not isinstance(amount, Decimal):
                    if not hasattr(amount, "base"):
                        raise NotAUnitPrice("not a unit price", provider=provider, model=model, field=field)
                    raise NotAUnitPrice("priced by request size", provider=provider, model=model, field=field)
                found.append(
                    RateVersion(
                        rate=card,
                        meter=meter,
                        where={"provider": provider, "model": model},
                        starts_at=datetime.combine(max(starts_on, since), time(), UTC),
                        amount=amount,
                        per=MILLION,
                        currency="USD",
                        source=f"{source}: {provider}/{model}",
                        checked_on=checked_on,
                    )
                )
    return tuple(found)


def listing(card: str, models: Iterable[tuple[str, str]], since: date, as_of: datetime) -> Listing:
    """Return what the installed table lists for each (provider, model); what it does not price by unit is left out."""
    versions: list[RateVersion] = []
    left_out: list[LeftOut] = []
    for provider, model in models:
        try:
            versions += rate_versions(card, [(provider, model)], since, as_of.date())
        except (UnknownModel, NotAUnitPrice) as refusal:
            left_out.append(LeftOut(provider=provider, model=model, why=refusal.what))
    return Listing(table="genai-prices", dated=True, as_of=as_of, versions=tuple(versions), left_out=tuple(left_out))


def _alternatives(provider: str, model: str, since: date) -> Iterator[tuple[date, Any]]:
    """Yield start and prices of a model's alternatives in order; the undated one starts with `since`."""
    for one in providers:
        for info in one.models if one.id == provider else ():
            if info.id != model:
                continue
            if not isinstance(info.prices, list):
                yield since, info.prices
                return
            for alternative in info.prices:
                constraint = alternative.constraint
                if constraint is None:
                    yield since, alternative.prices
                elif hasattr(constraint, "start_date"):
                    yield constraint.start_date, alternative.prices
                else:
                    raise NotAUnitPrice("priced by time of day", provider=provider, model=model)
            return
    raise UnknownModel("the table has no such model", provider=provider, model=model)
