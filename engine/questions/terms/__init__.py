"""The terms of the domain: canonical names of structures, planes, measurements and the like, each with its synonyms.

Tables only. Synonyms are lower case; hyphens and plurals need no entry of their own (see `engine.questions.words`).
"""
