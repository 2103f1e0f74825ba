"""Volume: a month of voice-call events as large as wanted, the same every time, with faults at one source.

Made by SQL, so that twenty million events are there in a minute: customers of very unequal size (a few have most of the
usage), sixty models, four meters; the second source lacks a batch, has copies, and reports one customer in seconds.
"""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import duckdb

MODELS = 60
SKEW = 2.0

_EVENTS = """
WITH numbers AS (
    SELECT i, hash(i * 7 + 1) % 1000000 / 1e6 AS size, hash(i * 3 + 2) AS pick, hash(i * 5 + 3) AS amount,
           hash(i * 11 + 4) % (31 * 86400) AS second, hash(i * 13 + 5) % {models} AS model
    FROM range({events}) r(i)
)
SELECT md5(i::VARCHAR) AS id,
       'bench-' || lpad({customer}::VARCHAR, 5, '0') AS account,
       CASE pick % 4 WHEN 0 THEN 'call.minutes' WHEN 1 THEN 'llm.input_tokens' WHEN 2 THEN 'llm.output_tokens'
                     ELSE 'tts.characters' END AS meter,
       ((amount % 1000 + 1) / 4.0)::DECIMAL(38, 12) AS quantity,
       TIMESTAMPTZ '2026-10-01 00:00:00+00' + to_seconds(second::BIGINT) AS starts_at,
       NULL::TIMESTAMPTZ AS ends_at,
       TIMESTAMPTZ '2026-10-01 00:00:05+00' + to_seconds(second::BIGINT) AS received_at,
       '{{"model":"m-' || model || '","provider":"p-' || (model % 7) || '"}}' AS dims,
       'part-' || (i // 1000000) AS place
FROM numbers{join}
"""

_FAULTS = """
SELECT * REPLACE (
    CASE WHEN account = 'bench-00007' AND meter = 'call.minutes' THEN quantity * 60 ELSE quantity END AS quantity)
FROM ({events}) WHERE NOT (account = 'bench-00003' AND starts_at >= TIMESTAMPTZ '2026-10-12 03:00:00+00'
                                                   AND starts_at < TIMESTAMPTZ '2026-10-12 09:00:00+00')
UNION ALL SELECT * FROM ({events}) WHERE id LIKE 'fff%'
"""


_DAYS = """
SELECT account || '/' || meter || '/' || day AS id, account, meter, sum(quantity)::DECIMAL(38, 12) AS quantity,
       day AS starts_at, day + INTERVAL 1 DAY AS ends_at, NULL::TIMESTAMPTZ AS received_at, '{{}}' AS dims,
       'sheet' AS place
FROM (SELECT *, date_trunc('day', starts_at) AS day FROM ({events})) GROUP BY account, meter, day
"""


def write(folder: Path, events: int, customers: int, *, shares: Sequence[float] | None = None) -> dict[str, Path]:
    """Write the month as two event sources and a daily sheet, in Parquet; return each source's file.

    `shares` gives each customer's part of the usage; without it the largest of n customers has 1/√n of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    customer, join = f"floor({customers} * pow(size, {SKEW}))::INT", ""
    if shares is not None:
        starts = ", ".join(f"({start}, {number})" for number, start in enumerate(accumulate(shares[:-1], initial=0.0)))
        customer, join = "number", f" ASOF JOIN (VALUES {starts}) sizes(start, number) ON size >= start"
    true = _EVENTS.format(events=events, models=MODELS, customer=customer, join=join)
    selects = {
        "clickhouse": true,
        "posthog": _FAULTS.format(events=true),
        "sheet": _DAYS.format(events=true),
    }
    paths = {name: folder / f"{name}-{events}-{customers}.parquet" for name in selects}
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(folder / "spill")}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET preserve_insertion_order = false")
        for name, select in selects.items():
            if not paths[name].is_file():
                db.execute(f"COPY ({select}) TO '{paths[name]}' (FORMAT parquet, COMPRESSION zstd)")
    return paths
