"""Plots with matplotlib: one module a plot, each from a `Report` to a `Picture`, or to None where it does not apply."""
