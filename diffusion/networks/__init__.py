"""One architecture a file: a frozen params dataclass read from checkpoint shapes, and the nn.Module it describes.

State-dict keys are exactly those of the single-file checkpoints (LDM, SGM, SD3) without their prefix. Build a network
under ``torch.device("meta")`` and fill it with ``load_state_dict(tensors, assign=True)``: nothing is allocated twice.

Shape suffixes: B batch, C channels, H W height and width, L tokens, W network width,
N heads, D size of the last axis.
"""
