"""The Django app that owns the database: tables, migrations, queries and the writer; SQLite and PostgreSQL."""
