"""Workflows of ComfyUI as documents of Weft."""

from compat.workflows.convert import Converted, convert, convert_json, is_foreign

__all__ = ["Converted", "convert", "convert_json", "is_foreign"]
