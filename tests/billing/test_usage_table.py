"""Usage lines as columns: their fingerprint is of their text, whatever their order."""

import random
from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from billing.usage_table import LINES, fingerprint_of_table
from models.value import decimal_text, fingerprint_of

lines = st.lists(
    st.fixed_dictionaries(
        {
            "meter": st.sampled_from(["m", "é", "z", "\U0001f4de"]),
            "dims": st.sampled_from(["{}", '{"a":"b"}', '{"a":"\uffff"}']),
            "starts_at": st.datetimes(timezones=st.none()),
            "ends_at": st.datetimes(timezones=st.none()),
            "quantity": st.decimals(-(10**20), 10**20, places=12, allow_nan=False)
            | st.sampled_from(["0", "0.000000000001", "-0.0000001", "100", "0.5", "1E+3"]).map(Decimal),
            "events": st.integers(0, 10**9),
            "source": st.sampled_from(["clickhouse", "posthog"]),
        }
    ),
    max_size=12,
)


@given(lines, st.randoms())
def test_the_fingerprint_is_of_the_sorted_texts_of_the_lines(rows: list[dict[str, object]], by: random.Random) -> None:
    table = pa.Table.from_pylist(rows, schema=LINES)
    texts = []
    for row, at, end in zip(
        table.to_pylist(), *(table[n].cast(pa.int64()).to_pylist() for n in ("starts_at", "ends_at")), strict=True
    ):
        fields = (row["meter"], row["dims"], at, end, decimal_text(row["quantity"]), row["events"], row["source"])
        texts.append("|".join(map(str, fields)))
    expected = fingerprint_of("\n".join(["tieout/usage/v2", *sorted(texts)]))
    assert fingerprint_of_table(table) == expected
    by.shuffle(rows)
    assert fingerprint_of_table(pa.Table.from_pylist(rows, schema=LINES)) == expected


def test_of_no_lines_there_is_a_fingerprint_too() -> None:
    assert fingerprint_of_table(LINES.empty_table()) == fingerprint_of("tieout/usage/v2")
