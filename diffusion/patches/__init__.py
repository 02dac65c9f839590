"""Adapters (LoRA and its kin) read from small files and added to the weights of a model or a text encoder.

`file` reads a file, `adapters` has the formulas, `names` knows what each trainer calls a layer, `apply` makes the
changed model, `combine` joins several LoRAs into one.
"""
