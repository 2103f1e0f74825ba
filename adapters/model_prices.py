"""model-prices: dated prices of models by lab, each with its source and on what its date rests.

https://pypi.org/project/model-prices/ : snapshot.json, USD per million tokens. A first price without a start was in
force since before the table looked. Prices of the day's hours and of a request's size are left out by name.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from models.price_table import LeftOut, Listing
from models.rate_card import RateVersion
from models.refusal import Refusal

MILLION = Decimal(1_000_000)
FIELDS = {"llm.input_tokens": "input", "llm.cached_tokens": "cache_read", "llm.output_tokens": "output"}

EVERY_MODEL = "*"


class NotASnapshot(Refusal):
    """The file is not a snapshot of model-prices."""

    remedy = "Name snapshot.json of the package model-prices, plain or gzipped."


def read(path: Path) -> Mapping[str, Any]:
    """Return the snapshot of a JSON file, plain or gzipped, its numbers as decimals; raises NotASnapshot."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        snapshot = json.loads(raw, parse_float=Decimal)
    except FileNotFoundError as error:
        raise NotASnapshot("there is no such file", file=path) from error
    except (ValueError, OSError) as error:
        raise NotASnapshot(f"not JSON: {error}", file=path) from error
    if not isinstance(snapshot, dict) or snapshot.get("schema") != 1 or "prices" not in snapshot:
        raise NotASnapshot("expected schema 1 with `prices`", file=path)
    return snapshot


def listing(snapshot: Mapping[str, Any], card: str, models: Iterable[tuple[str, str]], since: date) -> Listing:
    """Return what a snapshot lists for each (provider, model); what has no start is in force `since` a day."""
    as_of = datetime.fromisoformat(str(snapshot["updated_at"]))
    by_hours = _by_hours(snapshot, since)
    versions: list[RateVersion] = []
    left_out: list[LeftOut] = []
    for provider, model in models:
        standard = snapshot["prices"].get(provider, {}).get(model, {}).get("standard")
        why = _why_not(standard, bool({(provider, model), (provider, EVERY_MODEL)} & by_hours))
        if why:
            left_out.append(LeftOut(provider=provider, model=model, why=why))
            continue
        for starts_at, rates in _dated(standard, since):
            for meter, field in FIELDS.items():
                if field in rates:
                    versions.append(
                        RateVersion(
                            rate=card,
                            meter=meter,
                            where={"provider": provider, "model": model},
                            starts_at=starts_at,
                            amount=Decimal(rates[field]),
                            per=MILLION,
                            currency="USD",
                            source=f"model-prices ({rates['valid_from_basis']}): {rates['source']}",
                            checked_on=as_of.date(),
                        )
                    )
    return Listing(table="model-prices", dated=True, as_of=as_of, versions=tuple(versions), left_out=tuple(left_out))


def _by_hours(snapshot: Mapping[str, Any], since: date) -> set[tuple[str, str]]:
    """Return (provider, model) pairs whose price goes by the day's hours after `since`; a rule may name no model."""
    found: set[tuple[str, str]] = set()
    for rule in snapshot.get("schedules", {}).get("schedule", ()):
        if "valid_until" in rule and datetime.fromisoformat(rule["valid_until"]).date() <= since:
            continue
        multiplier = rule.get("off_peak_multiplier", rule.get("peak_multiplier"))
        named = multiplier if isinstance(multiplier, dict) else (EVERY_MODEL,)
        found |= {(str(rule["provider"]), model) for model in named}
    return found


def _why_not(standard: Any, by_hours: bool) -> str:
    if not standard:
        return "the table has no such model"
    if by_hours:
        return "priced by time of day"
    if any(one["rates"] and one["rates"].get("tiers") for one in standard):
        return "priced by request size"
    return ""


def _dated(standard: Iterable[Mapping[str, Any]], since: date) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    """Yield start and rates in order, none before `since`; a span in which the model was not sold has none.

    Of several that begin by then the last counts.
    """
    first = datetime.combine(since, time(), UTC)
    for one in standard:
        if one["rates"] is not None:
            yield max(datetime.fromisoformat(one["start"]), first) if one["start"] else first, one["rates"]
