"""LiteLLM's price table: a JSON object of models, each with prices per token, character or second.

https://github.com/BerriAI/litellm : model_prices_and_context_window.json. The table says what it believes today, not
since when: every version read from it begins at the instant it said so. Prices are JSON numbers, up to 24 digits of
them once a float; they are taken digit by digit. A price above a request's size, of a batch or of a priority is
another product and is not read.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from models.price_table import LeftOut, Listing
from models.rate_card import RateVersion
from models.refusal import Refusal

SECONDS = Decimal(60)
FIELDS = {
    "llm.input_tokens": "input_cost_per_token",
    "llm.cached_tokens": "cache_read_input_token_cost",
    "llm.output_tokens": "output_cost_per_token",
    "llm.input_audio_tokens": "input_cost_per_audio_token",
    "llm.output_audio_tokens": "output_cost_per_audio_token",
    "tts.characters": "input_cost_per_character",
}
BY_SIZE = re.compile(r"_above_\d+k_tokens")
"""In the name of a price that replaces the base one past so many tokens of one request."""

PROVIDERS = {"gemini": "google"}
"""Providers the catalog knows by another name."""


class NotAPriceTable(Refusal):
    """The file is not LiteLLM's table."""

    remedy = "Name model_prices_and_context_window.json, plain or gzipped."


def read(path: Path) -> Mapping[str, Any]:
    """Return the table of a JSON file, plain or gzipped, its numbers as decimals; raises NotAPriceTable."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        table = json.loads(raw, parse_float=Decimal)
    except FileNotFoundError as error:
        raise NotAPriceTable("there is no such file", file=path) from error
    except (ValueError, OSError) as error:
        raise NotAPriceTable(f"not JSON: {error}", file=path) from error
    if not isinstance(table, dict) or not any(_is_model(entry) for entry in table.values()):
        raise NotAPriceTable("expected an object of models with `litellm_provider`", file=path)
    return table


def listing(table: Mapping[str, Any], card: str, models: Iterable[tuple[str, str]], as_of: datetime) -> Listing:
    """Return what a table lists for each (provider, model), in force from `as_of`: the instant the table said so."""
    wanted = set(models)
    versions: list[RateVersion] = []
    left_out: list[LeftOut] = []
    for name, (provider, model), entry in _entries(table):
        if (provider, model) not in wanted:
            continue
        wanted.discard((provider, model))
        by_size = sorted(key for key in entry if BY_SIZE.search(key))
        if by_size:
            left_out.append(LeftOut(provider=provider, model=model, why=f"priced by request size: {by_size[0]}"))
            continue
        for meter, amount, per in _prices(entry):
            versions.append(
                RateVersion(
                    rate=card,
                    meter=meter,
                    where={"provider": provider, "model": model},
                    starts_at=as_of,
                    amount=amount,
                    per=per,
                    currency="USD",
                    source=f"LiteLLM's table of {as_of.date()}: {name}, {entry.get('source', 'no source named')}",
                    checked_on=as_of.date(),
                )
            )
    left_out += [LeftOut(provider=one, model=two, why="the table has no such model") for one, two in sorted(wanted)]
    return Listing(table="litellm", dated=False, as_of=as_of, versions=tuple(versions), left_out=tuple(left_out))


def _prices(entry: Mapping[str, Any]) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Yield meter, amount and its unit, as published: what is sold by the minute is not read from rounded seconds."""
    for meter, field in FIELDS.items():
        if isinstance(entry.get(field), int | Decimal):
            yield meter, Decimal(entry[field]), Decimal(1)
    if entry.get("mode") != "audio_transcription":
        return
    published = (entry.get("metadata") or {}).get("original_pricing_per_minute")
    if isinstance(published, int | Decimal):
        yield "stt.minutes", Decimal(published), Decimal(1)
    elif isinstance(entry.get("input_cost_per_second"), int | Decimal):
        yield "stt.minutes", Decimal(entry["input_cost_per_second"]) * SECONDS, Decimal(1)


def _entries(table: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str], Mapping[str, Any]]]:
    """Yield name, (provider, model) and entry; of two entries of one model the one named without a prefix is first."""
    entries = [(name, entry) for name, entry in table.items() if _is_model(entry)]
    for name, entry in sorted(entries, key=lambda one: ("/" in one[0], one[0])):
        said = str(entry["litellm_provider"])
        yield name, (PROVIDERS.get(said, said), name.removeprefix(f"{said}/")), entry


def _is_model(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("litellm_provider"), str)
