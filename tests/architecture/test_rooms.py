"""Our rooms are ours: no stranger's package of the same name is in front of them or beside them."""

import importlib
import importlib.metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "models",
    "billing",
    "activities",
    "workflows",
    "workers",
    "adapters",
    "runtime",
    "cli",
    "api",
    "web",
    "devstack",
    "migrations",
)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lies_under_the_root(room: str) -> None:
    found = importlib.import_module(room).__file__
    assert found is not None
    assert ROOT in Path(found).resolve().parents


def test_no_installed_distribution_claims_a_rooms_name() -> None:
    owners = importlib.metadata.packages_distributions()
    assert {room: owners[room] for room in ROOMS if room in owners} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_an_empty_init_and_a_readme(room: str) -> None:
    assert (ROOT / room / "__init__.py").read_text().strip() == ""
    assert (ROOT / room / "README.md").is_file()
