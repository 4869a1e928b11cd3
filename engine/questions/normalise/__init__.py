"""Normalisation in layers that can be switched off: the form of the text, the spelling, and (in `answers`) the
meaning.
"""
