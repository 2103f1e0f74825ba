"""Reads a printed explanation and computes the amount again, from its text alone, by the rule of examples/README.md."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, localcontext

from babel.numbers import get_currency_precision

NUMBER = r"-?[\d,]+(?:\.\d+)?"
PRODUCT = re.compile(rf"(?:^|: )({NUMBER}) x ({NUMBER})(?: / ({NUMBER}))?(?=$|[ ,])")
FACTOR = re.compile(rf"^x (?:\(1 \+ (?P<plus>{NUMBER})\)|(?P<times>{NUMBER})(?: / (?P<per>{NUMBER}))?)")
ROUNDED = re.compile(r"^rounded once, half away from zero, to the minor unit of ([A-Z]{3})")
ANEW = re.compile(r"^in [A-Z]{3}, ")
NEAR = Decimal("1e-25")
THIRTY = Decimal("1e-30")


class Unreadable(AssertionError):
    """A row says one thing and its amount another."""


def recomputed(rows: Iterable[tuple[str, str | None]]) -> Decimal:
    """Return what rows of (text, amount) come to. Every amount printed beside an expression is checked against it."""
    value = Decimal(0)
    with localcontext() as context:
        context.prec = 100
        for text, amount in rows:
            value = _after(value, text, number(amount) if amount is not None else None)
    return value


def _after(value: Decimal, text: str, amount: Decimal | None) -> Decimal:
    if found := ROUNDED.match(text):
        value = value.quantize(THIRTY)  # three thirds are one: a division has no last digit
        value = value.quantize(Decimal(1).scaleb(-get_currency_precision(found[1])), rounding=ROUND_HALF_UP)
        return _same(text, value, amount)
    if found := FACTOR.match(text):
        times = 1 + number(found["plus"]) if found["plus"] else number(found["times"]) / number(found["per"] or "1")
        return _same(text, value * times, amount)
    if ANEW.match(text):
        value = Decimal(0)
    if found := PRODUCT.search(text):
        product = number(found[1]) * number(found[2]) / number(found[3] or "1")
        return value + _same(text, product, amount)
    return value + amount if amount is not None else value


def _same(text: str, value: Decimal, amount: Decimal | None) -> Decimal:
    if amount is not None and abs(value - amount) > NEAR:
        raise Unreadable(f"{text!r} is {value}, not {amount}")
    return value


def number(text: str) -> Decimal:
    """Return a printed number."""
    return Decimal(text.replace(",", ""))


def rows_of(printed: str) -> list[tuple[str, str | None]]:
    """Return the arithmetic rows of what `tieout explain` prints: those between `rows` and the next heading."""
    found: list[tuple[str, str | None]] = []
    for line in printed.splitlines():
        if not line.startswith("  row "):
            continue
        text, is_, amount = line.removeprefix("  row ").strip().rpartition(" = ")
        found.append((text, amount) if is_ else (amount, None))
    return found
