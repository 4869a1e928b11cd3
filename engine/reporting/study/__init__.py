"""The report of a study: what `engine.study.results` holds as a page with plots, and as one tidy table.

Values in, bytes out, as for the report of a ranking: `page` is the order, `answers`, `figures`, `parts` and `sources`
are its blocks, `prose` and `limits` its sentences, `pictures` its plots, `rendering` its files.
"""
