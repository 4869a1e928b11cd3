"""Widgets of the workbench: values in, cells out. None of them asks the engine for anything."""
