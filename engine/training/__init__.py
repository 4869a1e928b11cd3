"""The training process: `python -m engine.training RUN`. Only `backends` and `lora_targets` are light to import."""
