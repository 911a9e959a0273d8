"""As much of PyTorch as images/pytorch-cuda calls itself: a tensor is a list of rows here."""

import os
from types import SimpleNamespace

__version__ = "2.6.0-stand-in"
float16, bfloat16, float32 = "float16", "bfloat16", "float32"
cuda = SimpleNamespace(is_available=lambda: os.environ.get("NO_DEVICE") != "1", get_device_name=lambda index: "stand-in")


def set_grad_enabled(enabled):
    assert enabled is False


class Tensor:
    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, key):
        if key == (slice(None), None):
            return Tensor([[value] for value in self.rows])
        assert key == (slice(None), -1)
        return Tensor([row[-1] for row in self.rows])

    def argmax(self, dim):
        assert dim == -1
        return Tensor([values.index(max(values)) for values in self.rows])

    def tolist(self):
        return list(self.rows)


def tensor(rows, device):
    assert device == "cuda" and len({len(row) for row in rows}) == 1
    return Tensor(rows)
