"""The Django app that owns the database: tables, migrations, queries, the writer; SQLite and PostgreSQL."""
