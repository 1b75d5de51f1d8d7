"""Which driver serves which URL."""

DRIVERS = {
    "postgres": "postgresql+psycopg",  # as some platforms write it
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite+pysqlite",
}
