"""Filters: how stored values are written on a page. They format; they compute nothing."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from models.money import money_text
from models.period import first_day
from models.value import decimal_text

SHORT = 12


def money(amount: Decimal, currency: str) -> Markup:
    """Return a booked amount as people read it, with the exact one for programs: <data value>1,234.50 USD</data>."""
    text = money_text(amount, currency).replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")
    kind = "money negative" if amount < 0 else "money"
    return _data(kind, amount, text)


def booked(amount: str, currency: str) -> Markup:
    """Return a booked amount that is kept as text, as people read it."""
    return money(Decimal(amount), currency)


def signed(amount: Decimal, currency: str) -> Markup:
    """Return a change with its sign."""
    plus = "+" if amount > 0 else ""
    text = f"{plus}{money_text(amount, currency)}".replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")
    return _data("money", amount, text)


def quantity(number: Decimal, digits: int = 4) -> Markup:
    """Return a quantity, grouped; past so many digits after the point it is cut for the eye, whole for programs."""
    shown = f"{round(number, digits):,f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return _data("quantity", number, shown)


def _data(kind: str, number: Decimal, text: str) -> Markup:
    """Return a number for eye and program; a page may have thousands, and Markup.format is slow."""
    return Markup(f'<data class="{kind}" value="{decimal_text(number)}">{escape(text)}</data>')


def day(on: date) -> Markup:
    """Return a day: 1 Nov 2026."""
    return Markup('<time datetime="{}">{} {:%b %Y}</time>').format(on.isoformat(), on.day, on)


def instant(at: datetime, zone: str = "UTC") -> Markup:
    """Return an instant in a zone that is named: 24 Nov 2026, 11:40 UTC."""
    there = at.astimezone(ZoneInfo(zone))
    name = there.tzname() or zone
    return Markup('<time datetime="{}">{} {:%b %Y, %H:%M} {}</time>').format(at.isoformat(), there.day, there, name)


@pass_context
def stamp(context: Context, at: datetime, otherwise: str = "UTC") -> Markup:
    """Return an instant in the zone of who looks, where they chose one; never of a day or window that is billed."""
    return instant(at, getattr(context.get("visitor"), "zone", None) or otherwise)


def moment(at: datetime, zone: str = "UTC") -> Markup:
    """Return an instant to the second in a zone that is named: 11:40:07 PST."""
    there = at.astimezone(ZoneInfo(zone))
    return Markup('<time datetime="{}">{:%H:%M:%S} {}</time>').format(at.isoformat(), there, there.tzname() or zone)


def month(name: str) -> str:
    """Return a month in words: October 2026."""
    return f"{first_day(name):%B %Y}"


def short(fingerprint: str) -> Markup:
    """Return the beginning of a fingerprint, with the whole of it to be had."""
    return Markup(f'<code title="{escape(fingerprint)}">{escape(fingerprint[:SHORT])}</code>')


def span(time: timedelta) -> str:
    """Return a length of time in its two largest units: 3 d 4 h, 18 s."""
    seconds = int(time.total_seconds())
    units = (("d", seconds // 86400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60))
    first = next((place for place, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {name}" for name, count in units[first : first + 2] if count) or "0 s"


def words(name: str) -> str:
    """Return a name of ours as words: needs_attention, needs attention."""
    return name.replace("_", " ")


@lru_cache
def state(name: str) -> Markup:
    """Return a state as icon and word, never colour alone."""
    icon, kind = STATES.get(name, ("\N{WHITE CIRCLE}", "quiet"))
    return Markup('<span class="state {}"><span aria-hidden="true">{}</span> {}</span>').format(
        kind, icon, escape(words(name))
    )


STATES = {
    "running": ("\N{CLOCKWISE OPEN CIRCLE ARROW}", "quiet"),
    "retrying": ("\N{CLOCKWISE OPEN CIRCLE ARROW}", "wait"),
    "open": ("\N{WHITE CIRCLE}", "quiet"),
    "waiting": ("\N{CIRCLE WITH RIGHT HALF BLACK}", "wait"),
    "paused": ("\N{DOUBLE VERTICAL LINE}", "wait"),
    "needs_attention": ("\N{WARNING SIGN}", "bad"),
    "rejected": ("\N{MULTIPLICATION SIGN}", "bad"),
    "done": ("\N{CHECK MARK}", "good"),
    "paid": ("\N{CHECK MARK}", "good"),
    "locked": ("\N{CHECK MARK}", "good"),
    "delivered": ("\N{CHECK MARK}", "good"),
    "in_force": ("\N{CHECK MARK}", "good"),
    "failed": ("\N{MULTIPLICATION SIGN}", "bad"),
    "ended": ("\N{EN DASH}", "quiet"),
    "skipped": ("\N{EN DASH}", "quiet"),
    "void": ("\N{EN DASH}", "quiet"),
    "draft": ("\N{CIRCLE WITH RIGHT HALF BLACK}", "wait"),
    "final": ("\N{CHECK MARK}", "good"),
}
ALL: dict[str, Callable[..., Any]] = {
    "money": money,
    "booked": booked,
    "signed": signed,
    "quantity": quantity,
    "day": day,
    "instant": instant,
    "moment": moment,
    "stamp": stamp,
    "month": month,
    "short": short,
    "span": span,
    "words": words,
    "state": state,
}
