"""How differences between statements are printed: who, then what moves."""

from collections.abc import Sequence

from cli.output import money, print_table
from models.simulation import Difference, Moved


def print_differences(found: Sequence[Difference], period: str) -> None:
    """Print each customer's difference, then its lines that move."""
    columns = ("customer", "contract", "before", "after", "difference")
    print_table(
        f"{period}: {sum(1 for one in found if one.moved)} of {len(found)} statements move",
        columns,
        [(one.customer, one.contract, *_amounts(one, one.currency)) for one in found],
        right=columns[2:],
    )
    for one in found:
        if one.moved:
            print_table(
                f"{one.customer}: what moves",
                ("kind", "what", "before", "after", "difference"),
                [
                    (
                        line.kind.value,
                        " ".join([line.name, *(f"{key}={value}" for key, value in line.dimensions.items())]),
                        *_amounts(line, one.currency),
                    )
                    for line in one.moved
                ],
                right=columns[2:],
            )


def _amounts(one: Difference | Moved, currency: str) -> tuple[str, str, str]:
    return money(one.before, currency), money(one.after, currency), money(one.difference, currency)
