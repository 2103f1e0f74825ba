"""Alembic's environment: the connection is handed in by `migrations.upgrade`; all versions run in one transaction."""

from alembic import context

from migrations.roles import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table="versions_applied",
    version_table_schema=SCHEMA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
