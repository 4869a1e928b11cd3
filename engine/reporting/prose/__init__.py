"""What a report says in sentences: the summary, the warnings, the methods, the limitations. Values in, words out."""
