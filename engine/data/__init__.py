"""Datasets: import, manifest, split, sampling, image checks and lazy decoding.

Everything that comes out of a dataset (paths, answers, names) is untrusted text: it is stored as it stands and made
harmless only where it is displayed.
"""
