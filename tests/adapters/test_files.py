"""Files: whatever is wrong is told by file, line and key, and nothing of the file is used."""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.files import MalformedFile, read_contract, read_policy, read_prices, read_statement, read_usage

ROOT = Path(__file__).resolve().parents[2]
ACME = (ROOT / "devstack" / "book" / "terms" / "acme.yaml").read_text()


def refused(path: Path, read: object) -> MalformedFile:
    assert callable(read)
    with pytest.raises(MalformedFile) as error:
        read(path)
    return error.value


def a_contract(tmp_path: Path, old: str, new: str) -> Path:
    assert old in ACME
    path = tmp_path / "acme.yaml"
    path.write_text(ACME.replace(old, new))
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "devstack" / "book" / "terms").glob("*.yaml")))
def test_every_contract_of_the_demo_book_is_well_formed(name: str) -> None:
    assert read_contract(ROOT / "devstack" / "book" / "terms" / name).fingerprint()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("currency: USD", "currency: DOLLARS", 7, "ISO 4217"),
        ("timezone: America/Los_Angeles", "timezone: Mars/Olympus", 8, "time zone"),
        ("customer: acme", "costumer: acme", 4, "costumer"),
        ('amount: "500.00"', "amount: 500.00", 15, "decimal in quotes"),
        ('amount: "440.00"', 'amount: "much"', 17, "decimal number"),
        ("{start: 2026-01-01, end: 2027-01-01}", "{start: 2027-01-01, end: 2026-01-01}", 9, "term"),
        ("risk: high", "risk: whatever", 18, "risk"),
    ],
)
def test_a_malformed_contract_is_told_by_line_and_what_was_expected(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    error = refused(a_contract(tmp_path, old, new), read_contract)
    assert error.line == line
    assert words in f"{error.what} {error.key}"
    assert "acme.yaml" in str(error)


def test_a_key_given_twice_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    assert refused(a_contract(tmp_path, "customer: acme", "customer: acme\ncustomer: bolt"), read_contract).line
    assert refused(a_contract(tmp_path, "term: {", "term: [{"), read_contract).line


def test_a_file_that_is_not_there_empty_or_not_text_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.yaml", read_contract).what
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert "empty" in refused(empty, read_contract).what
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(binary, read_contract).what


def test_prices_keep_every_digit_and_are_refused_by_line(tmp_path: Path) -> None:
    row = {
        "rate": "list",
        "meter": "m",
        "from": "2026-01-01T00:00:00Z",
        "amount": "0.000000123456789012345678",
        "per": "3600",
        "currency": "USD",
        "source": "a notice",
        "checked_on": "2026-01-01",
    }
    path = tmp_path / "prices.jsonl"
    path.write_text(json.dumps(row))
    assert read_prices(path)[0].amount == Decimal("0.000000123456789012345678")
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"amount": 0.1}))
    error = refused(path, read_prices)
    assert (error.line, error.key) == (2, "amount")


HEADER = "id,customer,meter,quantity,timestamp\n"


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("a,acme,m,NaN,2026-10-01T00:00:00Z\n", 2, "finite"),
        ("a,acme,m,Infinity,2026-10-01T00:00:00Z\n", 2, "finite"),
        ("a,acme,m,twelve,2026-10-01T00:00:00Z\n", 2, "decimal number"),
        ("a,acme,m,1,2026-10-01T00:00:00\n", 2, "zone"),
        ("a,acme,m,1,2026-10-01T00:00:00Z\nb,acme,m,,2026-10-01T00:00:00Z\n", 3, "quantity is missing"),
        ("a,acme,m,1\n", 2, "cells"),
    ],
)
def test_a_malformed_usage_row_is_told_by_its_line(tmp_path: Path, body: str, line: int, words: str) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + body)
    error = refused(path, read_usage)
    assert error.line == line
    assert words in error.what


def test_usage_in_three_formats_is_the_same(tmp_path: Path) -> None:
    row = {
        "id": "a",
        "customer": "acme",
        "meter": "m",
        "quantity": "0.1",
        "timestamp": "2026-10-01T00:00:00Z",
        "model": "x",
    }
    (tmp_path / "u.csv").write_text(",".join(row) + "\n" + ",".join(row.values()))
    (tmp_path / "u.jsonl").write_text(json.dumps(row))
    pq.write_table(pa.table({name: [text] for name, text in row.items()}), tmp_path / "u.parquet")
    found = [read_usage(tmp_path / name) for name in ("u.csv", "u.jsonl", "u.parquet")]
    assert found[0] == found[1] == found[2]
    assert found[0][0].dimensions == {"model": "x"}


def test_a_float_where_a_decimal_belongs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "u.jsonl"
    row = {"id": "a", "customer": "acme", "meter": "m", "quantity": 0.1, "timestamp": "2026-10-01T00:00:00Z"}
    path.write_text(json.dumps(row))
    assert refused(path, read_usage).key == "quantity"
    pq.write_table(pa.table({name: [value] for name, value in row.items()}), tmp_path / "u.parquet")
    assert refused(tmp_path / "u.parquet", read_usage).key == "quantity"


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "u.parquet"
    pq.write_table(pa.table({"id": ["a"]}), path)
    path.write_bytes(path.read_bytes()[:-12])
    assert "whole Parquet" in refused(path, read_usage).what


def test_a_policy_and_a_statement_are_refused_alike(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    text = (ROOT / "devstack" / "book" / "policy.yaml").read_text()
    policy.write_text(text.replace("grain: day", "grain: weekly"))
    assert refused(policy, read_policy).line == 17
    statement = tmp_path / "s.json"
    statement.write_text("{}")
    assert "missing" in refused(statement, read_statement).what
