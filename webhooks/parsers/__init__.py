"""Provider JSON in, typed events out. Pure Python: no database, no network, no clock."""
