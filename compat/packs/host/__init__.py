"""The modules of ComfyUI that packs import, as far as Weft offers them; anything else of them is a placeholder."""
