"""runs.db: the one thing that processes share. All SQL of the project lives in this package.

`Writer` is for processes that change something, `Reader` (read-only) for everything that looks. Both give and take
the dataclasses of `engine.types` and `engine.store.records`; no caller sees a row or a statement.
"""
