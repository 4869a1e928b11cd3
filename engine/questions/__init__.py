"""The eight questions: wordings, vocabularies, and what an answer says. Pure: standard library only."""
