"""tieout rates key: the keys by which other services read the rate API."""

import secrets
from typing import Annotated

import typer

from adapters.postgres.desk import PostgresDesk
from adapters.postgres.keys import PostgresKeys
from cli.output import As, AsJson, print_json, print_table, say
from models.access import ApiKey, Scope
from models.close import Role
from models.refusal import Refusal
from models.value import instant_text
from runtime import settings, wiring
from runtime.clock import SystemClock
from runtime.desk import token_of

app = typer.Typer(no_args_is_help=True, help="Keys of the rate API.")
MAY_MAKE = frozenset({Role.ENGINEER, Role.CONTROLLER})


class NotYourKey(Refusal):
    """The person's roles do not allow this."""

    remedy = "Ask an engineer or the controller."


class NoSuchKey(Refusal):
    """No key has this id."""

    remedy = "See them: tieout rates key list."


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Which service holds it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be repeated.")] = [Scope.RATES_READ],  # noqa: B006
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    person_id, keys = _signed(person)
    made_at = SystemClock().now()
    key = ApiKey(
        id=f"key-{secrets.token_hex(4)}",
        name=name,
        scopes=tuple(sorted(set(scope))),
        made_by=person_id,
        made_at=made_at,
    )
    secret = f"tieout_{secrets.token_urlsafe(32)}"
    keys.make(key, secret)
    if as_json:
        print_json({**key.model_dump(mode="json"), "key": secret})
    else:
        say(f"{key.id} for {name}, {', '.join(key.scopes)}; shown this once:")
        say(secret)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the keys; none shows its secret."""
    keys = PostgresKeys(wiring.database(settings.load(), "console")).keys()
    if as_json:
        print_json(keys)
        return
    print_table(
        f"{len(keys)} keys",
        ("id", "name", "scopes", "made by", "made", "revoked"),
        [
            (
                one.id,
                one.name,
                ", ".join(one.scopes),
                one.made_by,
                instant_text(one.made_at),
                instant_text(one.revoked_at) if one.revoked_at else "",
            )
            for one in keys
        ],
    )


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id.")], person: As = None) -> None:
    """Revoke a key, from now on."""
    _, keys = _signed(person)
    if not keys.revoke(key, SystemClock().now()):
        raise NoSuchKey("no key has this id", key=key)
    say(f"revoked {key}")


def _signed(person: str | None) -> tuple[str, PostgresKeys]:
    config = settings.load()
    console = wiring.database(config, "console")
    signed = PostgresDesk(console).person(token_of(config, person))
    if not MAY_MAKE & set(signed.roles):
        raise NotYourKey(f"{signed.id} may not make or revoke keys", needs="engineer or controller")
    return signed.id, PostgresKeys(console)
