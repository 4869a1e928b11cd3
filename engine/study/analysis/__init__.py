"""What a study has found: figures with intervals, answers to its declared questions, and further tables and charts.

`analyse` reads what is stored and draws nothing new: the same evaluations give the same result. numpy and scipy load
here, so nothing light imports this package before it is needed.
"""

from __future__ import annotations
