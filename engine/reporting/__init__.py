"""The report: one group of the leaderboard as a page that can go into a paper's appendix.

`engine.api.reporting` reads the store and makes a `Report` (`model`, its rows `subject`); here `prose` puts it into
words, `document` into blocks, `markdown`, `html`, `plots` and `tables` into files, and `folder` puts those where they
are wanted. All but `folder` is values in, bytes out, so that the same database always gives the same files.
"""
