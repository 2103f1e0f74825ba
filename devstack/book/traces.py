"""Traces: the demo's calls at instants and with tokens drawn from real clients' rates and token histograms.

ServeGen (https://github.com/alibaba/ServeGen, Apache-2.0, arXiv:2505.09999) publishes per-client request rates of
every 600 s over 14 days and token-length histograms. Calls are drawn from them; they are not its events. The
fourteen days are laid end to end over the month.
"""

import ast
import csv
import io
import json
import random
import tarfile
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

from models.period import Period

WINDOW = timedelta(seconds=600)
TRACE_DAYS = 14
ARCHIVE = Path("servegen-clients") / "language-m-small.tar.gz"
SKEWED = Path("servegen-clients") / "language-m-mid-rates.tar.gz"
LEAST_SPREAD = 400
"""Of a trace's 2,016 windows, over how many its requests are spread: a client that only bursts makes no phone calls."""

MOST_TOKENS = 6_000
"""A voice turn's prompt is shorter than the longest of these clients' requests."""


class NoTraces(ValueError):
    """The folder of shared data has no ServeGen clients."""


@dataclass(frozen=True)
class Client:
    """One real client: how busy each of its 600-second windows was, and how long its prompts and answers were."""

    weights: tuple[float, ...]  # requests a second of each window: only their proportions are used
    prompts: tuple[tuple[int, float], ...]  # tokens and their share
    answers: tuple[tuple[int, float], ...]

    def instants(self, chance: random.Random, month: Period, count: int) -> list[datetime]:
        """Draw instants of a month, busy windows more often."""
        windows = int((month.ends_at - month.starts_at) / WINDOW)
        sums = list(accumulate(self.weights[n % len(self.weights)] for n in range(windows)))
        drawn = (bisect_right(sums, chance.random() * sums[-1]) for _ in range(count))
        return sorted(
            month.starts_at + min(n, windows - 1) * WINDOW + timedelta(seconds=chance.randrange(600)) for n in drawn
        )

    def tokens(self, chance: random.Random, turns: int) -> tuple[int, int]:
        """Draw the prompt and answer tokens of a call's turns."""
        prompts = chance.choices([n for n, _ in self.prompts], [share for _, share in self.prompts], k=turns)
        answers = chance.choices([n for n, _ in self.answers], [share for _, share in self.answers], k=turns)
        return sum(prompts), sum(answers)


def clients(data: Path) -> tuple[Client, ...]:
    """Return the clients with rates, histograms and enough spread, by their number.

    Raises:
        NoTraces: the archive is not in the folder.
    """
    path = data / ARCHIVE
    if not path.is_file():
        raise NoTraces(f"{path} is not there; name the folder of shared data: DATA=…")
    rates: dict[int, tuple[float, ...]] = {}
    histograms: dict[int, tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]]] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            name = Path(member.name).name
            body = archive.extractfile(member)
            if body is None or not name.startswith("chunk-"):
                continue
            number = int(name.split("-")[1])
            text = body.read().decode()
            if name.endswith("-trace.csv"):
                rates[number] = tuple(float(row[1]) for row in csv.reader(io.StringIO(text)))
            elif name.endswith("-dataset.json"):
                histograms[number] = _histograms(json.loads(text))
    both = [
        Client(rates[number], *histograms[number])
        for number in sorted(rates.keys() & histograms.keys())
        if all(histograms[number]) and _spread(rates[number]) >= LEAST_SPREAD
    ]
    return tuple(both)


def shares(data: Path) -> tuple[float, ...]:
    """Return each client's part of all requests of the most uneven of the archives, largest first: one is half of all.

    Raises:
        NoTraces: the archive is not in the folder.
    """
    path = data / SKEWED
    if not path.is_file():
        raise NoTraces(f"{path} is not there; name the folder of shared data")
    totals: list[float] = []
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            body = archive.extractfile(member) if member.name.endswith("-trace.csv") else None
            if body is not None:
                totals.append(sum(float(row[1]) for row in csv.reader(io.StringIO(body.read().decode()))))
    whole = sum(totals)
    return tuple(sorted((total / whole for total in totals), reverse=True))


def _spread(weights: tuple[float, ...]) -> float:
    """Return over how many windows the requests are spread: (sum of weights)² / sum of squares."""
    squares = sum(weight * weight for weight in weights)
    return sum(weights) ** 2 / squares if squares else 0


def _histograms(
    windows: dict[str, dict[str, str]],
) -> tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]]:
    """Return one histogram of prompts and one of answers: the first window that has both."""
    for _, window in sorted(windows.items(), key=lambda item: int(item[0])):
        found = []
        for name in ("input_tokens", "output_tokens"):
            shares: dict[int, float] = ast.literal_eval(window[name])
            found.append(tuple(sorted((n, share) for n, share in shares.items() if 0 < n <= MOST_TOKENS)))
        if all(found):
            return found[0], found[1]
    return (), ()
