"""Files: contracts, prices, usage, policies and statements, read strictly.

An error says file, line, key and what was expected.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarfloat import ScalarFloat

from models.contract import Contract
from models.entity import Entity
from models.event import EVENT, Event
from models.opening import Opening
from models.parallel import BilledLine
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.statement import Statement
from models.usage import UsageEvent
from models.usage_policy import UsagePolicy

Noun = TypeVar("Noun", bound=BaseModel)
FIELDS = ("id", "customer", "meter", "quantity", "timestamp")
"""Columns every usage file has; `received_at` is optional, every other column is a dimension."""

BILLED = ("customer", "line", "amount", "currency")
"""Columns of what another system billed."""


class MalformedFile(Refusal):
    """A file is not what its format says."""

    remedy = "Correct the named place in the file; nothing of it was used."

    def __init__(self, path: Path, what: str, line: int | None = None, key: str = "") -> None:
        self.path, self.line, self.key = path, line, key
        facts: dict[str, object] = {"file": path}
        if line is not None:
            facts["line"] = line
        if key:
            facts["key"] = key
        super().__init__(what, **facts)


def read_contract(path: Path) -> Contract:
    """Return the contract version of a YAML file; raises MalformedFile."""
    return read_value(path, Contract)


def read_policy(path: Path) -> UsagePolicy:
    """Return the usage policy of a YAML file; raises MalformedFile."""
    return read_value(path, UsagePolicy)


def read_opening(path: Path) -> Opening:
    """Return the opening position of a YAML file; raises MalformedFile."""
    return read_value(path, Opening)


def line_at(path: Path, place: Sequence[int | str]) -> int | None:
    """Return the line of a place in a YAML file, or of the deepest part of it that is there, counted from 1."""
    return _line(_yaml(path), place)


def clause_at(path: Path, place: Sequence[int | str]) -> str:
    """Return the id (or meter) of the innermost clause that holds a place in a YAML file; nothing where none does."""
    content, found = _yaml(path), ""
    for part in place:
        in_map = isinstance(content, CommentedMap) and part in content
        if in_map or (isinstance(content, CommentedSeq) and isinstance(part, int) and part < len(content)):
            content = content[part]
        if isinstance(content, CommentedMap):
            found = str(content.get("id") or content.get("meter") or found)
    return found


def read_value(path: Path, noun: type[Noun]) -> Noun:
    """Return a noun of a YAML file; raises MalformedFile naming line and key of the first thing wrong."""
    return _checked(path, noun, _yaml(path))


def read_statement(path: Path) -> Statement:
    """Return the statement of a JSON file; raises MalformedFile."""
    try:
        return Statement.from_text(_text(path))
    except ValidationError as error:
        raise MalformedFile(path, _words(error), key=_key(error)) from error


def read_prices(path: Path) -> tuple[RateVersion, ...]:
    """Return the rate versions of a YAML list or of JSON lines; raises MalformedFile.

    A version that is `from` a date begins at its midnight in UTC: a card is shared, so it has no zone of its own.
    """
    if path.suffix in (".jsonl", ".ndjson"):
        return tuple(_rate(path, row, line) for line, row in _json_lines(path))
    rows = _yaml(path)
    if not isinstance(rows, CommentedSeq):
        raise MalformedFile(path, "expected a list of rate versions", 1)
    return tuple(_rate(path, row, rows.lc.item(index)[0] + 1) for index, row in enumerate(rows))


def read_entity(path: Path) -> Entity:
    """Return the entity and its policies of a YAML file; raises MalformedFile."""
    return read_value(path, Entity)


def read_events(path: Path) -> tuple[Event, ...]:
    """Return the revenue events of a JSON lines file, in its order; raises MalformedFile.

    An id is there once for each contract: an event that is sent twice is one event.
    """
    found: dict[tuple[str, str], Event] = {}
    for line, row in _json_lines(path):
        try:
            event = EVENT.validate_python(_plain(row))
        except ValidationError as error:
            raise MalformedFile(path, _words(error), line, _key(error)) from error
        key = (event.contract, event.id)
        if found.setdefault(key, event) != event:
            raise MalformedFile(path, f"the event {event.id} is there twice, and says two things", line, "id")
    return tuple(found.values())


def read_statements(path: Path) -> tuple[Statement, ...]:
    """Return the statements of a JSON file, one or a list of them; raises MalformedFile."""
    if not _text(path).lstrip().startswith("["):
        return (read_statement(path),)
    try:
        return TypeAdapter(tuple[Statement, ...]).validate_json(_text(path))
    except ValidationError as error:
        raise MalformedFile(path, _words(error), key=_key(error)) from error


def _rate(path: Path, row: Any, line: int) -> RateVersion:
    since = row.get("from") if isinstance(row, Mapping) else None
    if isinstance(since, date) and not isinstance(since, datetime):
        row["from"] = f"{since.isoformat()}T00:00:00Z"
    elif isinstance(since, str) and len(since) == len("2026-10-01"):
        row["from"] = f"{since}T00:00:00Z"
    return _checked(path, RateVersion, row, line)


def read_usage(path: Path) -> tuple[UsageEvent, ...]:
    """Return the usage events of a CSV, JSON lines or Parquet file; raises MalformedFile.

    Decimals are text in JSON lines; a float there is refused, as is one in Parquet.
    """
    match path.suffix:
        case ".csv":
            rows: Iterable[tuple[int, Mapping[str, Any]]] = _csv(path)
        case ".jsonl" | ".ndjson":
            rows = _json_lines(path)
        case ".parquet":
            rows = _parquet(path)
        case other:
            raise MalformedFile(path, f"expected .csv, .jsonl or .parquet, found {other!r}")
    return tuple(_event(path, line, row) for line, row in rows)


def _event(path: Path, line: int, row: Mapping[str, Any]) -> UsageEvent:
    missing = [name for name in FIELDS if row.get(name) in (None, "")]
    if missing:
        raise MalformedFile(path, f"{missing[0]} is missing", line, missing[0])
    known = {name: row[name] for name in FIELDS}
    if row.get("received_at") not in (None, ""):
        known["received_at"] = row["received_at"]
    dimensions = {
        name: _dimension(value)
        for name, value in row.items()
        if name not in known and name != "received_at" and value not in (None, "")
    }
    return _checked(path, UsageEvent, {**known, "dimensions": dimensions}, line)


def _dimension(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def read_billed(path: Path) -> tuple[BilledLine, ...]:
    """Return the lines of invoices that another system sent, of a CSV file; raises MalformedFile.

    Its columns are customer, line (a meter, a clause's id or our description), amount and currency; no others.
    """
    found = []
    for line, row in _csv(path, BILLED):
        strange = [name for name in row if name not in BILLED]
        if strange:
            raise MalformedFile(path, f"unknown column {strange[0]!r}; expected {', '.join(BILLED)}", 1, strange[0])
        found.append(_checked(path, BilledLine, dict(row), line))
    return tuple(found)


def _csv(path: Path, columns: Sequence[str] = FIELDS) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(_text(path).splitlines(), strict=True)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise MalformedFile(path, f"the header lacks {', '.join(missing)}", 1, missing[0])
    try:
        for row in reader:
            if None in row or None in row.values():
                raise MalformedFile(path, "the row has not as many cells as the header", reader.line_num)
            yield reader.line_num, row
    except csv.Error as error:
        raise MalformedFile(path, f"not CSV: {error}", reader.line_num) from error


def _json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            raise MalformedFile(path, f"not JSON: {error.msg}", number) from error
        except _Twice as error:
            raise MalformedFile(path, f"the key {error.key!r} is there twice", number, error.key) from error
        if not isinstance(row, dict):
            raise MalformedFile(path, "expected an object", number)
        yield number, row


class _Twice(ValueError):
    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are there once: of two values for one key nobody knows which is meant."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise MalformedFile(path, f"not a whole Parquet file: {str(error).splitlines()[0]}") from error
    missing = [name for name in FIELDS if name not in table.schema.names]
    if missing:
        raise MalformedFile(path, f"the schema lacks {', '.join(missing)}", key=missing[0])
    yield from enumerate(table.to_pylist(), 1)


def _yaml(path: Path) -> Any:
    loader = YAML(typ="rt")
    loader.allow_duplicate_keys = False
    try:
        loaded = loader.load(_text(path))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise MalformedFile(path, f"not YAML: {problem}", mark.line + 1 if mark else None) from error
    if loaded is None:
        raise MalformedFile(path, "the file is empty", 1)
    return loaded


def _checked(path: Path, noun: type[Noun], content: Any, line: int | None = None) -> Noun:
    try:
        return noun.model_validate(_plain(content))
    except ValidationError as error:
        raise MalformedFile(path, _words(error), _line(content, _place(error)) or line, _key(error)) from error


def _plain(content: Any) -> Any:
    """Return plain data of a round-trip tree; floats stay floats, so that they are refused where money is."""
    if isinstance(content, CommentedMap | dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, CommentedSeq | list):
        return tuple(_plain(value) for value in content)
    if isinstance(content, ScalarFloat):
        return float(content)
    if isinstance(content, datetime):
        return content.isoformat()  # ruamel's own TimeStamp is not a plain instant
    if isinstance(content, bool):
        return content
    if isinstance(content, int):
        return int(content)
    if isinstance(content, str):
        return str(content)
    return content


def _line(content: Any, place: Sequence[int | str]) -> int | None:
    """Return the line of the deepest part of a place that the file has, counted from 1."""
    line: int | None = None
    for part in place:
        if isinstance(content, CommentedMap):
            if part not in content:
                continue  # a union's tag, or a key that is missing: the line of what should hold it
            line = content.lc.key(part)[0] + 1
            content = content[part]
        elif isinstance(content, CommentedSeq) and isinstance(part, int) and part < len(content):
            line = content.lc.item(part)[0] + 1
            content = content[part]
    return line


def _first(error: ValidationError) -> Any:
    """Return what to tell: an unknown key before the key that is missing because of it, else the first thing wrong."""
    errors = error.errors()
    return next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])


def _place(error: ValidationError) -> Sequence[int | str]:
    """Return the place of what is told: of a check of the whole, the place inside that it names."""
    first = _first(error)
    place: Sequence[int | str] = first.get("ctx", {}).get("place") or first["loc"]
    return place


def _key(error: ValidationError) -> str:
    return ".".join(str(part) for part in _place(error))


def _words(error: ValidationError) -> str:
    first = _first(error)
    if first["type"] == "extra_forbidden":
        return f"unknown key {first['loc'][-1]!r}"
    if first["type"] == "missing":
        return f"{first['loc'][-1]!r} is missing"
    return str(first["msg"]).removeprefix("Value error, ")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MalformedFile(path, "there is no such file") from error
    except UnicodeDecodeError as error:
        raise MalformedFile(path, "not UTF-8 text") from error
