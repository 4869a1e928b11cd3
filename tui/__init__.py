"""The terminal screens. They reach the engine through `engine.api` alone."""
