"""Interchange files: contracts, prices, usage, statements; each format, and what is wrong in it, by line and key."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.files import MalformedFile, read_contract, read_prices, read_statements, read_usage

CONTRACT = """\
schema: tieout/contract/v1
contract: acme-2026
customer: acme
currency: USD
timezone: UTC
term: {start: 2026-01-01, end: 2027-01-01}
fees:
  - id: platform
    amount: "20.00"
    every: month
commitments:
  - {id: pool, amount: "10", every: year, billing: advance, scope: all}
"""
HEADER = "id,customer,meter,quantity,timestamp,model,own_key"
ROW = "e1,acme,call.minutes,1.50,2026-10-02T09:00:00+05:30,gpt-4o,true"
PRICE = """\
- {rate: list, meter: m, from: 2026-01-01, amount: "1", currency: USD, per: 1, source: page, checked_on: 2026-01-02}
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(read: Callable[[Path], Any], path: Path) -> tuple[int | None, str, str]:
    """Return line, key and words of what is refused."""
    with pytest.raises(MalformedFile) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return caught.value.line, caught.value.key, caught.value.what


def test_a_contract_is_read_with_dates_instants_and_numbers_as_written(tmp_path: Path) -> None:
    text = CONTRACT + "credits:\n  - {id: c, kind: paid, amount: 5, effective: 2026-03-15T10:00:00Z}\n"
    contract = read_contract(written(tmp_path, "c.yaml", text))
    assert (contract.fees[0].amount, contract.credits[0].amount) == (Decimal("20.00"), Decimal(5))
    assert contract.instant(contract.credits[0].effective) == datetime(2026, 3, 15, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "line", "key", "words"),
    [
        (('amount: "20.00"', "amount: 20.00"), 9, "fees.0.amount", "a float has already lost digits"),
        (('amount: "20.00"', 'amount: "twenty"'), 9, "fees.0.amount", "expected a decimal number"),
        (("every: month", "evry: month"), 10, "fees.0.evry", "unknown key 'evry'"),
        (("customer: acme\n", ""), None, "customer", "'customer' is missing"),
        (("timezone: UTC", "timezone: Mars"), 5, "timezone", "expected a time zone"),
        (("timezone: UTC", "timezone: UTC\ncurrency: EUR"), 6, "", "found duplicate key"),
        (("  - id: platform", "  - id: [platform"), None, "", "not YAML"),
        (("id: pool", "id: platform"), None, "", "the id 'platform' is taken"),
    ],
)
def test_what_is_wrong_in_a_contract_is_named_with_line_and_key(
    tmp_path: Path, change: tuple[str, str], line: int | None, key: str, words: str
) -> None:
    path = written(tmp_path, "c.yaml", CONTRACT.replace(*change))
    found_line, found_key, found_words = refused(read_contract, path)
    assert words in found_words
    assert found_key == key
    if line is not None:
        assert found_line == line


def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    assert "empty" in refused(read_contract, written(tmp_path, "c.yaml", ""))[2]
    assert "no such file" in refused(read_contract, tmp_path / "nothing.yaml")[2]


def test_usage_is_read_from_csv_with_dimensions_and_instants_in_utc(tmp_path: Path) -> None:
    (event,) = read_usage(written(tmp_path, "u.csv", f"{HEADER}\n{ROW}\n"))
    assert event.quantity == Decimal("1.50")
    assert event.timestamp == datetime(2026, 10, 2, 3, 30, tzinfo=UTC)
    assert event.dimensions == {"model": "gpt-4o", "own_key": "true"}


def test_usage_is_read_from_json_lines_and_parquet_alike(tmp_path: Path) -> None:
    lines = written(
        tmp_path,
        "u.jsonl",
        '{"id": "e1", "customer": "acme", "meter": "m", "quantity": "1.5", '
        '"timestamp": "2026-10-02T00:00:00Z", "own_key": true}\n',
    )
    table = pa.table(
        {
            "id": ["e1"],
            "customer": ["acme"],
            "meter": ["m"],
            "quantity": pa.array([Decimal("1.5")], pa.decimal128(20, 4)),
            "timestamp": pa.array([datetime(2026, 10, 2, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
            "own_key": [True],
        }
    )
    pq.write_table(table, tmp_path / "u.parquet")
    assert read_usage(lines) == read_usage(tmp_path / "u.parquet")


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        (f"{HEADER.replace('quantity', 'qty')}\n{ROW}\n", 1, "quantity", "the header lacks quantity"),
        (f"{HEADER}\n{ROW.replace('1.50', '')}\n", 2, "quantity", "is missing"),
        (f"{HEADER}\n{ROW}\n{ROW.replace('1.50', 'NaN')}\n", 3, "quantity", "finite"),
        (f"{HEADER}\n{ROW.replace('1.50', 'many')}\n", 2, "quantity", "expected a decimal number"),
        (f"{HEADER}\n{ROW.replace('+05:30', '')}\n", 2, "timestamp", "with its zone"),
        (f"{HEADER}\n{ROW},surplus\n", 2, "", "not as many cells"),
        (f"{HEADER}\n{ROW.replace('call.minutes', 'call minutes')}\n", 2, "meter", "expected an identifier"),
    ],
)
def test_what_is_wrong_in_csv_usage_is_named(tmp_path: Path, text: str, line: int, key: str, words: str) -> None:
    found_line, found_key, found_words = refused(read_usage, written(tmp_path, "u.csv", text))
    assert (found_line, found_key) == (line, key)
    assert words in found_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": "e", "customer": "a", "meter": "m", "quantity": 1.5, "timestamp": "2026-10-02T00:00:00Z"}', "a float"),
        ('{"id": "e", "id": "f"}', "there twice"),
        ("[1]", "expected an object"),
        ("{", "not JSON"),
    ],
)
def test_what_is_wrong_in_json_lines_is_named(tmp_path: Path, text: str, words: str) -> None:
    line, _, found = refused(read_usage, written(tmp_path, "u.jsonl", f"{text}\n"))
    assert line == 1
    assert words in found


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["e1"]}), tmp_path / "u.parquet")
    assert "lacks customer" in refused(read_usage, tmp_path / "u.parquet")[2]
    whole = (tmp_path / "u.parquet").read_bytes()
    (tmp_path / "u.parquet").write_bytes(whole[: len(whole) // 2])
    assert "not a whole Parquet file" in refused(read_usage, tmp_path / "u.parquet")[2]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    assert "expected .csv" in refused(read_usage, written(tmp_path, "u.txt", ""))[2]


def test_prices_are_read_from_yaml_and_json_lines_a_date_is_midnight_in_utc(tmp_path: Path) -> None:
    (one,) = read_prices(written(tmp_path, "p.yaml", PRICE))
    line = (
        '{"rate": "list", "meter": "m", "from": "2026-01-01", "amount": "1", "per": "1", "currency": "USD", '
        '"source": "page", "checked_on": "2026-01-02"}\n'
    )
    (other,) = read_prices(written(tmp_path, "p.jsonl", line))
    assert one == other
    assert one.id == "list/m@2026-01-01T00:00:00Z"


def test_what_is_wrong_in_prices_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "p.yaml", PRICE + PRICE.replace('amount: "1"', "amount: 0.1"))
    line, key, words = refused(read_prices, path)
    assert (line, key) == (2, "amount")
    assert "a float" in words
    assert "expected a list" in refused(read_prices, written(tmp_path, "q.yaml", "rate: list\n"))[2]


def test_a_statement_that_does_not_add_up_is_refused(tmp_path: Path) -> None:
    refused(read_statements, written(tmp_path, "s.json", "{}"))
    refused(read_statements, written(tmp_path, "s.json", "[{}]"))
