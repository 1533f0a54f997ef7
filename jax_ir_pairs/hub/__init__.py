"""The ways to Hugging Face `datasets`: builder, registration, card.

`builder` is what `builder_script.py` hands to `load_dataset`; `registration` lets `datasets` 4.0
and later load it, `startup` does so whenever Python starts; `card` writes the dataset's README.
"""
