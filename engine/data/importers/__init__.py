"""Importers: each turns one kind of source into entries and hands them to `assemble`."""
