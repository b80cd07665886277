"""The database: the only place with SQLAlchemy. One module a noun; every function takes an open connection."""
