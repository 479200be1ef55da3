"""What alembic runs for every command: the revisions, on the connection that ``zun.db.migrate`` has opened."""

from alembic import context

from zun.db.tables import metadata

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
    # SQLite alters tables by making them anew; its changes of tables are transactional, although alembic thinks otherwise
    render_as_batch=True,
    transactional_ddl=connection.dialect.name != "mysql",
)

with context.begin_transaction():
    context.run_migrations()
