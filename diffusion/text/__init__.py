"""Text conditioning: prompt syntax, tokenizers, text encoders."""
