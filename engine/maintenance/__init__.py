"""Keeping runs.db in order: looking for damage, copying it in use, thinning old curves, mending what broke."""
