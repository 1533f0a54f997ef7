"""Programs from sketches: real source with holes, whose choices are made and whose text is printed.

`source` reads the files of `sketches/`. `drawing` makes the choices in a sketch and puts others into
its holes, `stories` lets steps follow from each other, `sizes` gives numbers to the symbols in
`types`. That is a `draft`: enough for the plan. `writing` prints it in a `style`.
"""
