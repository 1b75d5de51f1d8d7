"""The database: where it is (``url``), what is in it (``models``, ``schema``), its ``engine``."""

import logging

# It would tell of each of its plugins, at each start.
logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
