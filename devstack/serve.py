"""make up: the stack left running with its workers and the demo book, until Ctrl-C.

After `make demo` it shows that closed month again; on an empty state it seeds the book, so that a month can be
closed by hand: ./tieout close start 2026-10 --as pia.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adapters.object_store import s3_client
from adapters.postgres.terms import PostgresTerms
from api.hook import PATH as HOOK_PATH
from devstack import servers
from devstack.book import people, seed, sources, webhooks
from devstack.book.calls import HABITS, true_usage
from devstack.endpoints import STRIPE_API
from devstack.faces import Faces
from devstack.failure import ServiceFailed
from devstack.up import DEFAULT_STATE, Stack, wait_for_a_signal
from devstack.webhooks import Webhooks
from devstack.workers import EMBEDDED, Workers
from migrations.upgrade import upgrade
from runtime import schedule, settings, temporal, wiring

MONTH = "2026-10"
console = Console(highlight=False)


def main(
    state: Annotated[Path, typer.Option(help="The state folder; a demo's is gone on with.")] = DEFAULT_STATE,
) -> None:
    """Start the stack and its workers, print the URLs, and stay until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = 0
    try:
        with Stack(state) as stack:
            os.environ.update(EMBEDDED)
            os.environ.update(stack.endpoints.as_environment())
            os.environ["TIEOUT_CACHE_FOLDER"] = str(stack.state.root / "cache")
            rate_api = servers.rate_api(stack.state, stack.endpoints.as_environment())
            hook = servers.stripe_hook(stack.state, stack.endpoints.as_environment())
            faces = Faces(stack.state, stack.endpoints.as_environment())
            portal = {"TIEOUT_PORTAL_URL": faces.portal.url}  # what links in mail begin with
            workers = Workers(stack.state.root, {**stack.endpoints.as_environment(), **portal})
            workers.start()
            try:
                prepare(stack)
                faces.seed(seed.contracts())
                for service in stack.services:
                    if isinstance(service, Webhooks):
                        webhooks.add(settings.load(), stack.endpoints.database_url, service)
                rate_api.start()
                hook.start()
                faces.start()
                if stack.endpoints.stripe_url != STRIPE_API:
                    servers.tell_hook(stack.endpoints.stripe_url, stack.endpoints.stripe_key, hook.url)
                _print(stack, rate_api.url, hook.url)
                _print_faces(faces, json.loads((stack.state.root / "people.json").read_text()))
                asked = wait_for_a_signal()
                while not asked.wait(1):
                    ours = {"workers": workers.running, "rate-api": rate_api.running, "stripe-hook": hook.running}
                    ours |= faces.running()
                    if stack.ended() or not all(ours.values()):
                        names = [service.name for service in stack.ended()] + [one for one in ours if not ours[one]]
                        console.print(f"ended by itself: {', '.join(names)}; see {stack.state.root / 'logs'}")
                        code = 1
                        break
            finally:
                faces.stop()
                hook.stop()
                rate_api.stop()
                workers.stop()
    except KeyboardInterrupt:
        code = 0
    except ServiceFailed as failure:
        console.print(str(failure))
        code = 1
    sys.stdout.flush()
    os._exit(code)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


def prepare(stack: Stack) -> None:
    """Bring the database up to date, and seed the demo book where there is none yet. Safe to repeat."""
    owner = stack.endpoints.database_url
    upgrade(owner)
    seed.seed_demo_people(owner, stack.state.root)
    config = settings.load()
    terms = PostgresTerms(wiring.database(config, "worker"))
    if not terms.population(MONTH):
        seed.seed_terms(terms, seed.contracts(), seed.rates())
        outside = wiring.outside_of(config, temporal.NoHistories())
        for contract in seed.contracts():
            if HABITS[contract.customer].history:
                seed.issue_history(outside, contract, "2026-01", "2026-09")
        usage = list(true_usage(MONTH, datetime(2026, 11, 2, tzinfo=UTC)))
        sources.write_clickhouse(stack.endpoints.clickhouse_url, usage)
        s3 = s3_client(stack.endpoints.s3_url, stack.endpoints.s3_access_key, stack.endpoints.s3_secret_key)
        sources.write_posthog(s3, config.sources_bucket, usage, sources.double_of(config.posthog_url))
        sources.write_sheet(s3, config.sources_bucket, MONTH, usage)

    async def scheduled() -> None:
        client = await temporal.connect(config, "up")
        await schedule.apply(client, config.entity_zone)
        await client.get_schedule_handle(schedule.REFRESH_ID).trigger()

    asyncio.run(scheduled())


def _print(stack: Stack, rate_api: str, hook: str) -> None:
    ends = stack.endpoints
    names = ", ".join(person for person, _, _ in people.PEOPLE)
    for what, where in (
        ("Temporal UI", ends.temporal_ui_url),
        ("PostgreSQL", ends.database_url.rsplit("@", 1)[-1]),
        ("S3", ends.s3_url),
        ("ClickHouse", ends.clickhouse_url.rsplit("@", 1)[-1]),
        ("Stripe double", ends.stripe_url),
        ("Stripe hook", f"{hook}{HOOK_PATH}, told by the double"),
        ("mail", f"{ends.smtp_url}, kept as files and delivered to nobody"),
        (
            "webhooks",
            f"what {webhooks.CUSTOMER}'s own system is told is kept as files in {stack.state.root / 'webhooks'}",
        ),
        ("Rate API", f"{rate_api}/v1/rates, with a key: ./tieout rates key create --name me --as erik"),
    ):
        console.print(f"{what:14} {where}")
    console.print(f"people         {names}: sign with --as")
    console.print(
        f"next           ./tieout close start {MONTH} --as pia · ./tieout close status {MONTH} · Ctrl-C stops"
    )


def _print_faces(faces: Faces, tokens: dict[str, str]) -> None:
    console.print(f"finance        {faces.console.url}, sign-in by {faces.identity.url}")
    console.print(f"customers      {faces.portal.url}")
    console.print("ready sign-ins, each for one role; a customer's works once:")
    for who, address in faces.sign_ins().items():
        console.print(f"  {who:28} {address}", soft_wrap=True)
    console.print("programs, with a person's own token or a customer's key; /openapi.json tells what there is:")
    for token, address in (
        (tokens["pia"], f"{faces.console.url}/v1/closes"),
        (faces.program_key("acme"), f"{faces.portal.url}/v1/overview"),
    ):
        console.print(f'  curl -H "Authorization: Bearer {token}" {address}', soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
