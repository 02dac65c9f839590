"""A pack of one file."""

NODE_CLASS_MAPPINGS = {}
