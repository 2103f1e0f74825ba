"""Prices that were wrong in a real table, replayed: each is a change that waits for a person, with its money.

LiteLLM's table at 14 dates and model-prices (MIT; see their folders' READMEs), read in place, never copied. Each test
begins with a catalog that took over what the table said before, and compares it with what a table said later.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters import litellm
from billing import rate_change, rate_drift
from models.contract import Contract
from models.rate_card import RateVersion
from models.rate_change import ChangeKind, Moved, RateProposal
from models.usage import UsageLine
from models.value import decimal_text
from runtime import price_tables

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TABLES = DATA / "litellm-prices"
SNAPSHOT = DATA / "model-prices" / "snapshot.json.gz"
NOW = datetime(2026, 11, 24, tzinfo=UTC)

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not TABLES.is_dir(), reason="the shared data set litellm-prices is not there"),
]

CONTRACT = Contract.model_validate(
    {
        "schema": "tieout/contract/v1",
        "contract": "acme-2026",
        "customer": "acme",
        "currency": "USD",
        "timezone": "UTC",
        "term": {"start": "2026-01-01", "end": "2027-01-01"},
        "rate_card": "list",
        "prices": [{"meter": "*", "price": {"kind": "pass_through"}}],
    }
)


def table_of(day: str) -> Path:
    """Return the table as it stood on a day."""
    (path,) = TABLES.glob(f"{day}.*.json.gz")
    return path


def catalog_of(day: str, *models: tuple[str, str]) -> tuple[RateVersion, ...]:
    """Return a catalog that took over the table of a day."""
    as_of = datetime.fromisoformat(f"{day}T00:00:00Z")
    return litellm.listing(litellm.read(table_of(day)), "list", models, as_of).versions


def differences(catalog: tuple[RateVersion, ...], day: str) -> dict[tuple[str, str], RateProposal]:
    """Return what the table of a day says otherwise, by model and meter."""
    compared = price_tables.compare(f"litellm={table_of(day)}", catalog, NOW)
    return {(one.version.where["model"], one.version.meter): one for one in compared.proposals}


def effect(catalog: tuple[RateVersion, ...], proposal: RateProposal, month: str, quantity: str) -> Moved | None:
    """Return what a month's usage of the proposal's rate on its 10th comes to without and with it."""
    version = proposal.version
    at = datetime.fromisoformat(f"{month}-10T00:00:00Z")
    usage = UsageLine(
        meter=version.meter,
        dimensions=version.where,
        starts_at=at,
        ends_at=at + timedelta(hours=1),
        quantity=Decimal(quantity),
        events=1,
        source="clickhouse",
    )
    return rate_change.moved([CONTRACT], [usage], catalog, version, month, ())


def prices(proposal: RateProposal) -> tuple[str, str]:
    """Return the catalog's price and the table's, each for its own unit."""
    assert proposal.known is not None
    return decimal_text(proposal.known.amount), decimal_text(proposal.version.amount)


def taken(catalog: tuple[RateVersion, ...], proposal: RateProposal) -> tuple[RateVersion, ...]:
    """Return the catalog after the proposal was approved."""
    return rate_drift.beside(catalog, proposal.version)


def test_a_voice_four_times_too_cheap_is_seen_when_the_table_is_mended() -> None:
    """gemini-2.5-flash-preview-tts: 0.0000025 a token of speech from March, 0.00001 from the file of October on."""
    voice = ("google", "gemini-2.5-flash-preview-tts")
    catalog = catalog_of("2026-03-01", voice)
    for month in range(4, 10):  # for half a year the table agrees with its own mistake
        assert differences(catalog, f"2026-{month:02}-01") == {}
    mended = differences(catalog, "2026-10-01")[voice[1], "llm.output_tokens"]
    assert prices(mended) == ("0.0000025", "0.00001")
    assert mended.kind is ChangeKind.LATER
    assert not mended.dated  # since when, the table does not say: a person does
    october = effect(catalog, mended, "2026-10", "40000000")
    assert october is not None
    # 40 million tokens: 40,000,000 x 0.0000025 = 100.00 booked, 40,000,000 x 0.00001 = 400.00 owed
    assert (october.now, october.then, october.delta) == (Decimal("100.00"), Decimal("400.00"), Decimal("300.00"))
    assert effect(catalog, mended, "2026-08", "40000000") is None  # as listed it reaches back no further


def test_a_second_table_sees_the_same_voice_half_a_year_earlier() -> None:
    """model-prices has 10 USD a million from the start: beside LiteLLM's 2.50 of March that is a correction."""
    catalog = catalog_of("2026-03-01", ("google", "gemini-2.5-flash-preview-tts"))
    compared = price_tables.compare(f"model-prices={SNAPSHOT}", catalog, NOW)
    found = {one.version.meter: one for one in compared.proposals}
    output = found["llm.output_tokens"]
    assert (prices(output), output.kind) == (("0.0000025", "10"), ChangeKind.CORRECTION)
    assert prices(found["llm.input_tokens"]) == ("0.0000003", "0.5")
    for month in ("2026-04", "2026-08"):
        moved = effect(catalog, output, month, "40000000")
        assert moved is not None
        assert moved.delta == Decimal("300.00")


def test_a_price_that_flips_and_flips_back_asks_a_person_twice_or_once() -> None:
    """azure/gpt-4o-transcribe, a token of audio: 0.000006, in June's file 0.0000025, in November's 0.000006 again."""
    transcriber = ("azure", "gpt-4o-transcribe")
    catalog = catalog_of("2026-05-01", transcriber)
    meter = (transcriber[1], "llm.input_audio_tokens")
    flip = differences(catalog, "2026-06-01")[meter]
    assert prices(flip) == ("0.000006", "0.0000025")
    june = effect(catalog, flip, "2026-06", "10000000")
    assert june is not None
    # 10 million tokens: 60.00 at 0.000006, 25.00 at 0.0000025
    assert (june.now, june.then, june.delta) == (Decimal("60.00"), Decimal("25.00"), Decimal("-35.00"))
    rejected = catalog
    assert meter not in differences(rejected, "2026-11-01")  # who rejected the flip is asked nothing again
    approved = taken(catalog, flip)
    back = differences(approved, "2026-11-01")[meter]
    assert prices(back) == ("0.0000025", "0.000006")
    november = effect(approved, back, "2026-11", "10000000")
    assert november is not None
    assert november.delta == Decimal("35.00")
    assert effect(approved, back, "2026-07", "10000000") is None  # from June to October it was billed at the flip


def test_two_models_that_change_places_are_two_changes() -> None:
    """minimax-m2.1 and m2.5 on openrouter exchange their input prices, 0.27 and 0.30 a million, in October's file."""
    first, second = ("openrouter", "minimax/minimax-m2.1"), ("openrouter", "minimax/minimax-m2.5")
    catalog = catalog_of("2026-09-01", first, second)
    found = differences(catalog, "2026-10-01")
    up, down = found[first[1], "llm.input_tokens"], found[second[1], "llm.input_tokens"]
    assert prices(up) == ("0.00000027", "0.0000003")
    assert prices(down) == ("0.0000003", "0.00000027")
    assert up.id != down.id
    dearer, cheaper = (effect(catalog, one, "2026-10", "1000000000") for one in (up, down))
    assert dearer is not None
    assert cheaper is not None
    # A thousand million tokens: 270.00 and 300.00 change places, so together nothing moves and nobody would see it
    assert (dearer.now, dearer.then) == (cheaper.then, cheaper.now) == (Decimal("270.00"), Decimal("300.00"))


def test_two_voices_that_fall_by_more_than_half_are_not_taken_over_by_themselves() -> None:
    """elevenlabs/eleven_v3 and eleven_multilingual_v2: 0.00018 a character, 0.00008 in the file of 2026-11-24."""
    voices = [("elevenlabs", name) for name in ("eleven_v3", "eleven_multilingual_v2")]
    catalog = catalog_of("2026-11-01", *voices)
    found = differences(catalog, "2026-11-24")
    assert {key: prices(one) for key, one in found.items()} == {
        (model, "tts.characters"): ("0.00018", "0.00008") for _, model in voices
    }
    fell = found["eleven_v3", "tts.characters"]
    assert effect(catalog, fell, "2026-11", "1000000") is None  # used on the 10th: before the table said so
    december = effect(catalog, fell, "2026-12", "1000000")
    assert december is not None
    assert december.delta == Decimal("-100.00")  # a million characters: 180.00 to 80.00


def test_the_digits_of_a_float_come_through_the_whole_way() -> None:
    """databricks-gte-large-en: 0.00000012999, with the tail of a float from January to November."""
    model = ("databricks", "databricks-gte-large-en")
    catalog = catalog_of("2025-12-01", model)
    tail = differences(catalog, "2026-01-01")[model[1], "llm.input_tokens"]
    assert prices(tail) == ("0.00000012999", "0.00000012999000000000001")
    assert RateProposal.from_text(tail.canonical()) == tail
    moved = effect(catalog, tail, "2026-01", "1000000000")
    assert moved is not None
    assert moved.now == moved.then == Decimal("129.99")  # not a cent, and still for a person to see
