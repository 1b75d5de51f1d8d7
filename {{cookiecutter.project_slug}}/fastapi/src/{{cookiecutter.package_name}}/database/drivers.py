"""Which driver serves which URL; all of them are asynchronous."""

DRIVERS = {
    "postgres": "postgresql+psycopg",  # as some platforms write it
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite+aiosqlite",
}
