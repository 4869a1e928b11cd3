"""The evaluation process: `python -m engine.evaluation ID` generates answers, scores labels and stores both."""
