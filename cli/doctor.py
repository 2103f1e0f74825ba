"""tieout doctor: does everything outside answer, with the rights we expect?"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import text

from activities.witness import heads_of
from adapters.postgres.facts import PostgresFacts
from adapters.postgres.journals import PostgresJournal
from cli.door import wait_for
from cli.output import AsJson, Exit, leave, print_json, print_table
from models.value import instant_text
from runtime import rooms, schedule, settings, temporal, wiring
from runtime.engine import engine_id
from runtime.settings import Settings


def doctor(as_json: AsJson = False) -> None:
    """Check rooms, database, journal, facts, object store, sources, Temporal and Stripe; exit code 1 when one fails."""
    config = settings.load()
    found = [_ask(name, check) for name, check in _checks(config)]
    if as_json:
        print_json([{"check": name, "ok": ok, "said": said} for name, ok, said in found])
    else:
        print_table(
            "Doctor", ("check", "", "said"), [(name, "ok" if ok else "FAILS", said) for name, ok, said in found]
        )
    if not all(ok for _, ok, _ in found):
        leave(Exit.CHECK_FAILED)


def _checks(config: Settings) -> list[tuple[str, Callable[[], str]]]:
    checks: list[tuple[str, Callable[[], str]]] = [("rooms", _rooms)]
    checks += [(f"database as {role}", partial(_database, config, role)) for role in ("worker", "console", "auditor")]
    checks.append(("journal chain", partial(_chain, config)))
    checks.append(("facts of reports", partial(_facts, config)))
    checks.append(("object store", partial(_store, config)))
    checks += [(f"source {name}", partial(_source, config, name)) for name in wiring.policy_of(config).sources]
    checks.append(("temporal", lambda: wait_for(lambda: _temporal(config))))
    checks.append(("stripe", lambda: wiring.platform_of(config).account()))
    return checks


def _rooms() -> str:
    rooms.refuse_strangers()
    return engine_id()


def _store(config: Settings) -> str:
    return f"{len(wiring.store_of(config).uris('evidence/'))} objects of evidence"


def _ask(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return name, True, check()
    except Exception as error:  # noqa: BLE001  # the doctor reports whatever it meets
        return name, False, f"{type(error).__name__}: {error}".splitlines()[0]


def _database(config: Settings, role: str) -> str:
    with wiring.database(config, role).reading() as session:
        name, superuser, bypass = (
            session.connection()
            .execute(text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"))
            .one()
        )
    if superuser or bypass:
        raise PermissionError(f"{name} is a superuser or bypasses row security")
    return f"{name}, no superuser"


def _chain(config: Settings) -> str:
    state = PostgresJournal(wiring.database(config, "auditor")).verify_chain(heads_of(wiring.store_of(config)))
    if not state.whole:
        raise ValueError(f"entry {state.first_difference} differs: {state.reason}")
    return f"{state.entries} entries, head {state.head[:12]}, {state.witnessed} witnessed"


def _facts(config: Settings) -> str:
    kept, unlike = PostgresFacts(wiring.database(config, "auditor")).unlike()
    if unlike is not None:
        raise ValueError(f"statement {unlike[:12]} tells others than are kept of it: no report of its month is true")
    return f"{kept} statements tell what is kept of them"


def _source(config: Settings, name: str) -> str:
    policy = wiring.policy_of(config)
    newest = wiring.sources_of(config, policy)[name].watermark()
    return f"complete up to {instant_text(policy.sources[name].complete_up_to(newest))}"


async def _temporal(config: Settings) -> str:
    client = await temporal.connect(config, "doctor")
    found = await schedule.describe(client)
    return f"{config.temporal_address}; " + (
        f"next close {found.info.next_action_times[0]}" if found else "no schedule"
    )
