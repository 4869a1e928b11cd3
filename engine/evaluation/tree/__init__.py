"""All questions about an image answered from one pass over its vision and its common prompt.

For whoever measures speed: `engine.evaluation.tree.answering.answer_images(..., force_tokens=12)`.
"""
