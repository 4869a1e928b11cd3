"""The terminal workbench. It reaches the engine through `engine.api` alone."""
