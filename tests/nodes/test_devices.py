"""Which device is whose."""

from __future__ import annotations

import pytest
import torch

from nodes.devices import device_count, device_of


def test_workers_take_turns_on_all_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [device_of(None, number) for number in range(5)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]
    assert (device_of("cuda:2", 7), device_of("cpu", 1)) == ("cuda:2", "cpu")
    assert (device_count(None), device_count("cuda:1"), device_count("cpu")) == (3, 1, 1)
    with pytest.raises(ValueError, match="expected cpu or cuda:N, and there is 3 CUDA"):
        device_of("cuda:3", 0)


def test_without_devices_there_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert (device_of(None, 4), device_count(None)) == ("cpu", 1)
    with pytest.raises(ValueError, match="there is no CUDA device"):
        device_of("cuda:0", 0)
