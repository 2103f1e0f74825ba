"""Price tables as they are read: units as published, digits as they are, and what is left out by name."""

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters import genai, litellm, model_prices
from models.refusal import Refusal

AS_OF = datetime(2026, 10, 1, tzinfo=UTC)
SINCE = date(2026, 1, 1)
LITELLM = """{
 "gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.2999000000000001e-07,
           "cache_creation_input_token_cost_above_1hr": 1e-06,
           "output_cost_per_token": 1e-05, "source": "https://example.com/p"},
 "gemini/g-tts": {"litellm_provider": "gemini", "mode": "audio_speech", "input_cost_per_character": 0.00018,
           "output_cost_per_audio_token": 0.00001},
 "deepgram/nova": {"litellm_provider": "deepgram", "mode": "audio_transcription", "input_cost_per_second": 0.00007167,
           "metadata": {"original_pricing_per_minute": 0.0043}},
 "whisper": {"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001},
 "big": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens": 2e-06}
}"""


def test_litellm_is_read_digit_by_digit_in_its_own_unit(tmp_path: Path) -> None:
    path = tmp_path / "table.json.gz"
    path.write_bytes(gzip.compress(LITELLM.encode()))
    asked = [("openai", "gpt-x"), ("google", "g-tts"), ("deepgram", "nova"), ("openai", "whisper"), ("openai", "big")]
    found = litellm.listing(litellm.read(path), "list", [*asked, ("openai", "gone")], AS_OF)
    assert {(one.where["model"], one.meter): (one.amount, one.per) for one in found.versions} == {
        ("gpt-x", "llm.input_tokens"): (Decimal("0.00000012999000000000001"), Decimal(1)),
        ("gpt-x", "llm.output_tokens"): (Decimal("0.00001"), Decimal(1)),
        ("g-tts", "tts.characters"): (Decimal("0.00018"), Decimal(1)),
        ("g-tts", "llm.output_audio_tokens"): (Decimal("0.00001"), Decimal(1)),
        ("nova", "stt.minutes"): (Decimal("0.0043"), Decimal(1)),  # not 60 x the rounded 0.00007167 = 0.0043002
        ("whisper", "stt.minutes"): (Decimal("0.006"), Decimal(1)),  # 60 x 0.0001
    }
    assert {one.starts_at for one in found.versions} == {AS_OF}
    assert not found.dated
    assert {(one.model, one.why) for one in found.left_out} == {
        ("big", "priced by request size: input_cost_per_token_above_200k_tokens"),
        ("gone", "the table has no such model"),
    }


def test_model_prices_are_dated_and_name_their_basis(tmp_path: Path) -> None:
    def rates(input_: str, **more: object) -> dict[str, object]:
        return {"input": input_, "output": "4", "source": "https://s", "valid_from_basis": "documented", **more}

    path = tmp_path / "snapshot.json"
    prices = {
        "lab": {
            "m": {
                "standard": [
                    {"start": None, "rates": rates("2")},
                    {"start": "2025-12-01T00:00:00Z", "rates": rates("1.75")},
                    {"start": "2026-03-01T00:00:00Z", "rates": None},
                    {"start": "2026-06-01T12:30:00Z", "rates": rates("1.5")},
                ]
            },
            "tiered": {"standard": [{"start": None, "rates": rates("2", tiers=[{}])}]},
            "night": {"standard": [{"start": None, "rates": rates("2")}]},
        }
    }
    prices["peaky"] = {"p": {"standard": [{"start": None, "rates": rates("2")}]}}
    rules = [
        {"provider": "lab", "off_peak_multiplier": {"night": 0.5}},
        {"provider": "lab", "off_peak_multiplier": {"m": 0.5}, "valid_until": "2025-09-05T16:00:00Z"},  # long over
        {"provider": "peaky", "peak_multiplier": 2.0},
    ]
    path.write_text(
        json.dumps(
            {"schema": 1, "updated_at": "2026-10-26T18:46:35Z", "prices": prices, "schedules": {"schedule": rules}}
        )
    )
    asked = [("peaky", "p"), *(("lab", name) for name in ("m", "tiered", "night", "gone"))]
    found = model_prices.listing(model_prices.read(path), "list", asked, SINCE)
    assert [(one.starts_at, one.amount) for one in found.versions if one.meter == "llm.input_tokens"] == [
        (datetime(2026, 1, 1, tzinfo=UTC), Decimal(2)),
        (datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.75")),  # both began by then: the last counts
        (datetime(2026, 6, 1, 12, 30, tzinfo=UTC), Decimal("1.5")),
    ]
    assert found.versions[0].source == "model-prices (documented): https://s"
    assert {(one.model, one.why) for one in found.left_out} == {
        ("tiered", "priced by request size"),
        ("night", "priced by time of day"),
        ("p", "priced by time of day"),
        ("gone", "the table has no such model"),
    }


def test_the_installed_table_leaves_out_what_it_does_not_know() -> None:
    found = genai.listing("list", [("openai", "gpt-4o"), ("nobody", "nothing")], SINCE, AS_OF)
    assert found.dated
    assert {one.meter for one in found.versions} == set(genai.FIELDS)
    assert [(one.provider, one.why) for one in found.left_out] == [("nobody", "the table has no such model")]


@pytest.mark.parametrize("text", ["not json", "[1]", '{"m": {"price": 1}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    for read in (litellm.read, model_prices.read):
        with pytest.raises(Refusal, match=r"t\.json"):
            read(path)
    with pytest.raises(Refusal, match="no such file"):
        litellm.read(tmp_path / "absent.json")
