"""Predictions that another tool has made: read, matched to the cases of a dataset, and scored like our own."""
