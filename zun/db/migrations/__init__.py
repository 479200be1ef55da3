"""Alembic's folder: ``zun.db.migrate`` runs it."""
