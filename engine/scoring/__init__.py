"""Figures with their intervals, from verdicts and probabilities alone. Pure: numpy, scikit-learn, statsmodels."""
