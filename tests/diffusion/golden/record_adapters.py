"""Records adapters.safetensors: files of LyCORIS and PEFT with what they make of a weight.

`python -m tests.diffusion.golden.record_adapters FOLDER`, where FOLDER holds lycoris-lora 4.1.3, peft 0.21.2 and what
they import: einops, accelerate, psutil. For each case the file has `CASE|weight` and `CASE|merged` of a layer and, as
`CASE|file|NAME`, the tensors of an adapter for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

R = 4
LAYERS = {"linear": lambda: nn.Linear(8, 16), "conv": lambda: nn.Conv2d(8, 16, 3, padding=1)}


@torch.no_grad()
def randomised(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if "dora" in name or "magnitude" in name:
            parameter.mul_(1 + 0.3 * torch.rand(parameter.shape))
        else:
            parameter.copy_(0.3 * torch.randn(parameter.shape))


def of_lycoris() -> dict[str, Tensor]:
    from lycoris.modules.boft import ButterflyOFTModule
    from lycoris.modules.diag_oft import DiagOFTModule
    from lycoris.modules.glora import GLoRAModule
    from lycoris.modules.ia3 import IA3Module
    from lycoris.modules.locon import LoConModule
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule

    kinds = {
        "locon": (LoConModule, {}),
        "locon tucker": (LoConModule, {"use_tucker": True}),
        "dora of outputs": (LoConModule, {"weight_decompose": True, "wd_on_out": True}),
        "dora of inputs": (LoConModule, {"weight_decompose": True, "wd_on_out": False}),
        "loha": (LohaModule, {}),
        "loha tucker": (LohaModule, {"use_tucker": True}),
        "dora of loha": (LohaModule, {"weight_decompose": True, "wd_on_out": True}),
        "lokr": (LokrModule, {"factor": 4}),
        "lokr of two products": (LokrModule, {"factor": 4, "decompose_both": True, "lora_dim": 1}),
        "lokr of one product": (LokrModule, {"factor": 2, "lora_dim": 1}),
        "lokr tucker": (LokrModule, {"factor": 2, "lora_dim": 1, "use_tucker": True}),
        "dora of lokr": (LokrModule, {"factor": 4, "weight_decompose": True, "wd_on_out": True}),
        "glora": (GLoRAModule, {}),
        "oft": (DiagOFTModule, {"lora_dim": 4}),
        "oft rescaled": (DiagOFTModule, {"lora_dim": 4, "rescaled": True}),
        "oft constrained": (DiagOFTModule, {"lora_dim": 4, "constraint": 0.01}),
        "boft": (ButterflyOFTModule, {"lora_dim": 4}),
        "ia3": (IA3Module, {}),
    }
    found: dict[str, Tensor] = {}
    for kind, (make, settings) in kinds.items():
        for form, layer in LAYERS.items():
            torch.manual_seed(len(found))
            original = layer()
            module = make("x", original, **{"lora_dim": R, "alpha": 2.0, "multiplier": 1.0, **settings})
            randomised(module)
            before = original.weight.detach().clone()
            state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
            case = f"lycoris {kind} {form}"
            found |= {f"{case}|weight": before, f"{case}|merged": merged(module, original)}
            found |= {f"{case}|file|lora_unet_x.{name}": tensor for name, tensor in state.items()}
    return found


@torch.no_grad()
def merged(module: nn.Module, layer: nn.Module) -> Tensor:
    """The weight a layer computes with. Merging a LoHa or a LoKr would count alpha / rank twice; training does not."""
    if type(module).__name__ in ("LohaModule", "LokrModule"):
        changed = layer.weight + module.get_weight(layer.weight.shape)
        return module.apply_weight_decompose(changed) if module.wd else changed
    module.merge_to(1.0)
    return layer.weight.detach().clone()


def of_peft() -> dict[str, Tensor]:
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    configs = {
        "lora": LoraConfig(r=R, lora_alpha=R, target_modules=["x"]),
        "dora": LoraConfig(r=R, lora_alpha=R, target_modules=["x"], use_dora=True),
    }
    found: dict[str, Tensor] = {}
    for kind, config in configs.items():
        for form, layer in LAYERS.items():
            torch.manual_seed(len(found))
            model = get_peft_model(nn.ModuleDict({"x": layer()}), config)
            randomised_adapters(model)
            before = model.base_model.model["x"].base_layer.weight.detach().clone()
            state = {name: tensor.clone() for name, tensor in get_peft_model_state_dict(model).items()}
            case = f"peft {kind} {form}"
            after = model.merge_and_unload()["x"].weight.detach().clone()
            found |= {f"{case}|weight": before, f"{case}|merged": after}
            found |= {f"{case}|file|{name}": tensor for name, tensor in state.items()}
    return found


@torch.no_grad()
def randomised_adapters(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if "magnitude" in name:
            parameter.mul_(1 + 0.3 * torch.rand(parameter.shape))
        elif "lora_" in name:
            parameter.copy_(0.3 * torch.randn(parameter.shape))


def main(folder: str) -> None:
    sys.path.append(folder)
    tensors = of_lycoris() | of_peft()
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        Path(__file__).with_name("adapters.safetensors"),
    )


if __name__ == "__main__":
    main(sys.argv[1])
