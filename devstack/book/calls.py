"""Calls: what really happened in the demo company, drawn with a seed; the sources report it, with faults.

A call has the cost components of a voice agent: transport, transcriber, model (with cached tokens), voice and
platform minutes, as published for voice AI (the cost schemas of Vapi's public documentation).
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

from devstack.book.traces import Client
from models.period import Period, days_period, local_day, midnight

SEED = 20261001
HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 11, 10, 10, 11, 11, 10, 8, 6, 4, 3, 2, 2, 1)
"""How busy each local hour is, beside the others."""

CALL_SECONDS = 3  # calls last a multiple of this: minutes then have two decimals, seconds are whole


@dataclass(frozen=True)
class Habit:
    """How a customer calls: calls in a month, its models with their shares, its voice, and its zone."""

    zone: str
    calls: int
    models: Mapping[tuple[str, str], int]
    voice: tuple[str, str] = ("elevenlabs", "eleven_multilingual_v2")
    own_key: tuple[str, str] | None = None
    messages: int = 0  # SMS segments in a month
    numbers: int = 0  # phone numbers held in a month
    history: bool = False  # January to September stand behind it


GPT4O, MINI = ("openai", "gpt-4o"), ("openai", "gpt-4o-mini")
FLASH, MISTRAL, HAIKU = (
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large-4"),
    ("anthropic", "claude-haiku-4-5"),
)

HABITS: Mapping[str, Habit] = {
    "acme": Habit("America/Los_Angeles", 1500, {GPT4O: 7, MINI: 3}, history=True),
    "bolt": Habit("America/New_York", 900, {MINI: 1}, voice=("openai", "tts-1")),
    "cirrus": Habit("UTC", 800, {MISTRAL: 4, HAIKU: 1}),
    "delta": Habit("America/New_York", 700, {FLASH: 1}),
    "ember": Habit("America/Los_Angeles", 300, {MINI: 1}, voice=("openai", "tts-1"), messages=2600, numbers=23),
    "fjord": Habit("Europe/Berlin", 700, {GPT4O: 1, FLASH: 2}),
    "gale": Habit("America/Los_Angeles", 500, {HAIKU: 1}),
    "halo": Habit("America/New_York", 600, {GPT4O: 1}),
    "iris": Habit("UTC", 700, {FLASH: 1, MINI: 1}, history=True),
    "juno": Habit("Asia/Kolkata", 600, {MINI: 1}, voice=("openai", "tts-1")),
    "kite": Habit("America/Los_Angeles", 900, {FLASH: 1}),
    "lyra": Habit("Europe/London", 400, {GPT4O: 1, HAIKU: 1}, own_key=GPT4O, history=True),
}


@dataclass(frozen=True)
class Call:
    """One call as it happened."""

    id: str
    generation: str  # id of its model event
    customer: str
    ended_at: datetime
    seconds: int
    provider: str
    model: str
    own_key: bool
    voice: tuple[str, str]
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    characters: int

    @property
    def minutes(self) -> Decimal:
        """The call's minutes, two decimals, exact."""
        return Decimal(self.seconds) / 60


@dataclass(frozen=True)
class Message:
    """One text message as it happened."""

    id: str
    customer: str
    sent_at: datetime
    segments: int


@dataclass(frozen=True)
class Usage:
    """One metered fact: what the sources should report."""

    id: str
    customer: str
    meter: str
    quantity: Decimal
    at: datetime
    dimensions: Mapping[str, str]


def calls_of(
    customer: str, month: str, until: datetime | None = None, traffic: Sequence[Client] = ()
) -> Iterator[Call]:
    """Yield a customer's calls of a local month in order of time, and on through the next day where `until` says so.

    The same customer and month always gives the same calls. With `traffic`, instants and tokens are drawn from a
    real client of it instead of from the habit.
    """
    habit = HABITS[customer]
    chance = random.Random(f"{SEED}/{customer}/{month}")
    first = datetime.fromisoformat(f"{month}-01").date()
    span = _month(month, habit.zone)
    days = (local_day(span.ends_at - timedelta(seconds=1), habit.zone) - first).days + 1
    instants = sorted(
        _instant(chance, first.toordinal() + chance.randrange(days), habit.zone) for _ in range(habit.calls)
    )
    client = traffic[sorted(HABITS).index(customer) % len(traffic)] if traffic else None
    if client is not None:
        instants = client.instants(chance, span, habit.calls)
    if until is not None:
        instants += _after(chance, span.ends_at, until, habit.calls)
    for number, at in enumerate(instants):
        yield _call(chance, customer, habit, month, number, at, client)


def messages_of(customer: str, month: str) -> Iterator[Message]:
    """Yield a customer's text messages of a local month."""
    habit = HABITS[customer]
    chance = random.Random(f"{SEED}/{customer}/{month}/messages")
    first = datetime.fromisoformat(f"{month}-01").date()
    sent = 0
    number = 0
    while sent < habit.messages:
        segments = min(chance.choice((1, 1, 1, 2, 3)), habit.messages - sent)
        sent += segments
        at = _instant(chance, first.toordinal() + chance.randrange(31 if month.endswith("10") else 28), habit.zone)
        yield Message(str(uuid5(NAMESPACE_URL, f"{customer}/{month}/sms/{number}")), customer, at, segments)
        number += 1


def usage_of(call: Call) -> tuple[Usage, ...]:
    """Return what a call is metered as: one call bears several meters under one id, its model under another."""
    model = {"provider": call.provider, "model": call.model} | ({"own_key": "true"} if call.own_key else {})

    def one(id_: str, meter: str, quantity: Decimal, dimensions: Mapping[str, str]) -> Usage:
        return Usage(id_, call.customer, meter, quantity, call.ended_at, dimensions)

    return (
        one(call.id, "call.minutes", call.minutes, {}),
        one(call.id, "transport.minutes", call.minutes, {"provider": "twilio"}),
        one(call.id, "stt.minutes", call.minutes, {"provider": "deepgram", "model": "nova-3"}),
        one(call.id, "tts.characters", Decimal(call.characters), {"provider": call.voice[0], "model": call.voice[1]}),
        one(call.generation, "llm.input_tokens", Decimal(call.input_tokens), model),
        one(call.generation, "llm.cached_tokens", Decimal(call.cached_tokens), model),
        one(call.generation, "llm.output_tokens", Decimal(call.output_tokens), model),
    )


def message_usage(message: Message) -> Usage:
    """Return what a message is metered as."""
    return Usage(message.id, message.customer, "sms.segments", Decimal(message.segments), message.sent_at, {})


def true_usage(
    month: str, until: datetime | None = None, only: Iterable[str] | None = None, traffic: Sequence[Client] = ()
) -> Iterator[Usage]:
    """Yield what really happened in a month, customer by customer; on until an instant where one is named."""
    for customer in only or HABITS:
        for call in calls_of(customer, month, until, traffic):
            yield from usage_of(call)
        for message in messages_of(customer, month):
            yield message_usage(message)


def _month(month: str, zone: str) -> Period:
    first = datetime.fromisoformat(f"{month}-01").date()
    after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return days_period(first, after, zone)


def _instant(chance: random.Random, ordinal: int, zone: str) -> datetime:
    """Draw an instant of a local day, busy hours more often; a day is taken as 24 hours from its midnight."""
    day = datetime.fromordinal(ordinal).date()
    hour = chance.choices(range(24), HOURS)[0]
    return midnight(day, zone) + timedelta(hours=hour, seconds=chance.randrange(3600))


def _after(chance: random.Random, start: datetime, until: datetime, calls: int) -> list[datetime]:
    """Draw the calls between a month's end and an instant: the sources go on, the month does not."""
    seconds = int((until - start).total_seconds())
    count = max(0, calls * seconds // (31 * 86_400))
    return sorted(start + timedelta(seconds=chance.randrange(max(1, seconds))) for _ in range(count))


def _call(
    chance: random.Random, customer: str, habit: Habit, month: str, number: int, at: datetime, client: Client | None
) -> Call:
    provider, model = chance.choices(list(habit.models), list(habit.models.values()))[0]
    seconds = CALL_SECONDS * chance.randint(5, 160)
    turns = 2 + seconds // 20
    prompt = chance.randint(900, 2400)
    fresh = sum(prompt // 3 + chance.randint(40, 160) for _ in range(turns))
    cached = turns * (prompt // 2)
    output = turns * chance.randint(25, 70)
    if client is not None:
        fresh, output = client.tokens(chance, turns)
    return Call(
        id=str(uuid5(NAMESPACE_URL, f"{customer}/{month}/call/{number}")),
        generation=str(uuid5(NAMESPACE_URL, f"{customer}/{month}/generation/{number}")),
        customer=customer,
        ended_at=at.replace(microsecond=0),
        seconds=seconds,
        provider=provider,
        model=model,
        own_key=habit.own_key == (provider, model),
        voice=habit.voice,
        input_tokens=fresh,
        cached_tokens=cached,
        output_tokens=output,
        characters=seconds * chance.randint(6, 9),
    )
