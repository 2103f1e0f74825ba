"""tieout portal: who at a customer may see the customer's pages, and links by which they sign in."""

from datetime import timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from adapters.postgres.desk import PostgresDesk
from adapters.postgres.web_sessions import PostgresWebSessions
from cli import webhooks
from cli.door import Door
from cli.output import As, AsJson, print_json, print_table, say
from models.close import Role
from models.refusal import Refusal
from models.visitor import PortalRole, PortalUser
from runtime.desk import token_of
from runtime.sign_in import link_to, new_id, new_token

app = typer.Typer(no_args_is_help=True, help="Who may see a customer's pages, and which of their systems are told.")
app.add_typer(webhooks.app, name="webhooks")

MAY_INVITE = frozenset({Role.PREPARER, Role.CONTROLLER})


class NotYours(Refusal):
    """The person's roles do not allow this."""

    remedy = "Ask a preparer or the controller."


class NoSuchUser(Refusal):
    """No user of this id, or one who left; or an address that is none, or somebody else's."""

    remedy = "See who there is: tieout portal users."


@app.command()
def users(
    customer: Annotated[str | None, typer.Option(help="Of one customer.")] = None, as_json: AsJson = False
) -> None:
    """List who may see which customer's pages."""
    found = [one for one in PostgresWebSessions(Door().console).users() if customer is None or one.customer == customer]
    if as_json:
        print_json(found)
        return
    rows = [(one.id, one.customer, one.email, one.name, one.role.value) for one in found]
    print_table(f"{len(rows)} users", ("user", "customer", "address", "name", "role"), rows)


@app.command()
def invite(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    email: Annotated[str, typer.Argument(help="The user's address; links are mailed there.")],
    name: Annotated[str, typer.Option(help="Who it is.")],
    role: Annotated[PortalRole, typer.Option(help="admin or viewer.")] = PortalRole.VIEWER,
    person: As = None,
) -> None:
    """Let somebody at a customer see the customer's pages; they ask for a link at the sign-in page."""
    door = _inviting(person)
    try:
        user = PortalUser(id=f"{customer}-{new_id()[:6]}", customer=customer, email=email.lower(), name=name, role=role)
    except ValidationError as error:
        raise NoSuchUser("this can't be a user", said=error.errors()[0]["msg"]) from error
    if not PostgresWebSessions(door.console).invite(user):
        raise NoSuchUser("there is a user of this address already, or no such customer", address=user.email)
    say(f"{user.id} may see the pages of {customer} as {role.value}")


@app.command()
def remove(user: Annotated[str, typer.Argument(help="The user's id.")], person: As = None) -> None:
    """Close the pages to a user, and what sessions they have, from now on."""
    if not PostgresWebSessions(_inviting(person).console).remove(user):
        raise NoSuchUser("no user of this id", user=user)
    say(f"{user} is out")


@app.command()
def link(
    user: Annotated[str, typer.Argument(help="The user's id.")],
    ttl: Annotated[int, typer.Option(help="For how many minutes it can be used.", min=1, max=24 * 60)] = 60,
    person: As = None,
) -> None:
    """Print a link that signs a user in once; give it to nobody else."""
    door = _inviting(person)
    token, now = new_token(), door.clock.now()
    made = PostgresWebSessions(door.console).make_link(user, new_id(), token, now, now + timedelta(minutes=ttl))
    if not made:
        raise NoSuchUser("no user of this id", user=user)
    say(link_to((door.config.portal_url or "").rstrip("/"), token))


def _inviting(person: str | None) -> Door:
    """Return the door for a person who may invite; raises NotAuthenticated, NotYours."""
    door = Door()
    found = PostgresDesk(door.console).person(token_of(door.config, person))
    if not MAY_INVITE & set(found.roles):
        raise NotYours(f"{found.id} may not invite anybody", needs="preparer or controller")
    return door
