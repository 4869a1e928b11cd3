"""Asking one model about one image at a time, in a process of its own (`python -m engine.ask`).

Light, for whoever starts that process: `wire` (the messages), `subject` (which model), `inputs` (image and question),
`places` (on which device), `reading` (what an answer says). Heavy, inside the process alone: `streaming`, `process`.
"""
