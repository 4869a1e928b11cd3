"""What a dataset is worth: images that decode, duplicates, strange answers.

`signature` looks at one image, `checking` at all of them (with a cache, in the background), `similarity` and `groups`
find near-duplicates, `answers` counts what the annotators wrote, `report` puts it all together and `findings` says what
matters.
"""
