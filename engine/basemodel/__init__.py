"""The embedded base: a Qwen3-VL of a few million parameters, trained on drawn phantoms.

It has the architecture of Qwen3-VL and none of its weights. It lets the whole workbench run on two CPU cores without
any network. `python -m engine.basemodel --help` tells how it was made; `docs/base-model.md` has its figures.
"""
