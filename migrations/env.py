"""Runs the migrations over the connection that pulsegate.store.migrate opened, in its transaction."""

from alembic import context

from pulsegate.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
