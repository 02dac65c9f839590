"""Making a model out of models: how much of which block, by which formula, and how the result is written.

`blocks` names the blocks of a network and reads ratios for them, `formulas` has the arithmetic, `merge` applies it to
models, text encoders and autoencoders, `save` writes weights in the layout of single files.
"""
