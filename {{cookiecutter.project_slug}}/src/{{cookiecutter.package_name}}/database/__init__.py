"""The database: where it is (``url``), what is in it (``models``, ``schema``), its ``engine``."""
