"""The product against plain Unsloth and plain `generate`, end to end from the same image files. Sides run in
processes of their own (`engine.bench.sides`); the modules beside this one are light, apart from `model` and
`memory_cells`."""
