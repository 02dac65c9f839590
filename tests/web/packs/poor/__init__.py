"""A pack that needs what nobody has."""

import nothing_like_it  # noqa: F401
