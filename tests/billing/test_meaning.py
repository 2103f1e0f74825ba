"""What a clause means: one sentence each, and the lines of a month that it made."""

from pathlib import Path

import pytest

from adapters.files import read_contract
from billing.meaning import Meaning, examples, meanings
from models.contract import Contract
from tests.statement_builders import a_statement, draw, fee, usage

ROOT = Path(__file__).resolve().parents[2]
TERMS = ROOT / "devstack" / "book" / "terms"


def of(customer: str) -> dict[str, str]:
    """Return the sentences of a demo customer's contract by label."""
    return {one.label: one.sentence for one in meanings(read_contract(TERMS / f"{customer}.yaml"))}


def test_a_prepaid_year_is_said_with_what_it_pays_for_and_what_comes_after() -> None:
    assert of("acme") == {
        "llm.input_tokens/model/gpt-4o:provider/openai": (
            "llm.input_tokens, model gpt-4o, provider openai: 2.1 USD for 1,000,000."
        ),
        "llm.*": "llm.*: what the rate card says at the instant of use, and 8 % more.",
        "platform": "500 USD each month, billed before it begins; a part of it by its days.",
        "llm-year": (
            "440 USD each year is paid ahead and pays for llm.*. What is not used by then is forfeited."
            " Past it usage costs 1.25 times its price."
        ),
    }


def test_a_floor_is_said_with_what_becomes_of_the_shortfall() -> None:
    assert of("bolt")["floor-month"] == (
        "At least 400 USD each month is promised for all usage. What is short is invoiced when it ends."
    )
    assert of("bolt")["call.minutes"] == (
        "call.minutes: each unit at the price of the step it falls into: up to 1,000: 0.05 USD each,"
        " up to 2,500: 0.045 USD each, above: 0.04 USD each; counted each month."
    )


def test_a_credit_is_said_with_its_price_and_its_days() -> None:
    assert of("halo")["topup"] == "A credit of 400 USD, bought for 360 USD, pays for all usage from 1 Oct 2026."
    assert of("gale")["launch"] == (
        "A credit of 200 USD, given for nothing, pays for all usage from 1 Oct 2026 until before 16 Oct 2026."
    )


@pytest.mark.parametrize(
    "file",
    sorted([*TERMS.glob("*.yaml"), *ROOT.glob("examples/*/given/contract*.yaml")]),
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_every_clause_of_every_contract_has_a_sentence_of_its_own(file: Path) -> None:
    contract = read_contract(file)
    said = meanings(contract)
    assert len(said) == sum(len(_clauses(contract, kind)) for kind in KINDS)
    assert len({one.label for one in said}) == len(said)
    for one in said:
        assert one.sentence.endswith("."), one
        assert "None" not in one.sentence, one


KINDS = ("prices", "fees", "entitlements", "commitments", "credits", "discounts", "minimums", "maximums", "tax")


def _clauses(contract: Contract, kind: str) -> tuple[object, ...]:
    found: tuple[object, ...] = getattr(contract, kind)
    return found


def test_a_clause_is_shown_the_lines_it_made_or_paid() -> None:
    statement = a_statement(
        usage("calls", "130.00"),
        fee("platform", "50.00", "2026-10-01", "2026-11-01"),
        draw("draw/pool", "pool", {"calls": "40.00"}, pool=True),
    )
    made = {
        label: [line.id for line in examples(Meaning("", "", label, "", statement.lines[0]), statement)]
        for label in ("pool", "nothing", statement.lines[0].explanation.clause)
    }
    assert made["pool"] == ["draw/pool"]
    assert made["nothing"] == []
    assert "calls" in made[statement.lines[0].explanation.clause]
