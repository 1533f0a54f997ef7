"""Programs from sketches: real source with holes, whose choices are made and whose text is printed.

`source` reads the files of `sketches/`, and `choices` what they leave open. `drawing` makes the
choices in a sketch and puts others into its holes, as their `types` `fit`; `stories` lets steps
follow from each other; `sizes` gives numbers to symbols. That is a `draft`, which is enough for
the plan. `writing` prints it in a `style`: each of its `items` as edits of the sketch's `text`.
"""
