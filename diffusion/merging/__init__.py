"""Making a model out of models: how much of which block, by which formula.

`formulas` has the arithmetic, `merge` applies it to models, text encoders and autoencoders.
"""
