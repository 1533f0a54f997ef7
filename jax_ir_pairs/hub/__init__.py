"""The ways to Hugging Face `datasets`: builder, registration, card, push.

`builder` is what `builder_script.py` hands to `load_dataset`; `registration` lets `datasets` 4.0
and later load it, `startup` does so whenever Python starts; `card` writes the dataset's README.

And the way to the Hub: `sealed` checks a build, `push_plan` says what its upload would change, and
`push` uploads it to the repository that `remote` stands for.
"""
