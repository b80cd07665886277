"""One module a page, found by ``web/app.py``: each has its blueprint in ``pages``, whose front is ``index``."""
