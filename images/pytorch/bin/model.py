"""A small transformer of the llama shape with random weights: grouped-query attention, rotary positions, KV cache."""

import time

import torch
from contract import Answer
from torch import nn
from torch.nn import functional

SHAPES = {
    "random-11m": {"layers": 6, "width": 384, "heads": 6, "kv_heads": 2, "feed_forward": 1024, "vocabulary": 4096},
    "random-2m": {"layers": 2, "width": 192, "heads": 3, "kv_heads": 1, "feed_forward": 512, "vocabulary": 4096},
}


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Block(nn.Module):
    def __init__(self, width, heads, kv_heads, feed_forward):
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, width // heads
        self.attention_norm, self.feed_norm = Norm(width), Norm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, kv_heads * self.head, bias=False)
        self.value = nn.Linear(width, kv_heads * self.head, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, feed_forward, bias=False)
        self.up = nn.Linear(width, feed_forward, bias=False)
        self.down = nn.Linear(feed_forward, width, bias=False)

    def attend(self, x, cache, positions):
        batch, length, _ = x.shape
        cos, sin, start = positions
        shape = (batch, length, -1, self.head)
        query = rotate(self.query(x).view(shape).transpose(1, 2), cos, sin)
        cache[0][:, :, start : start + length] = rotate(self.key(x).view(shape).transpose(1, 2), cos, sin)
        cache[1][:, :, start : start + length] = self.value(x).view(shape).transpose(1, 2)
        share = self.heads // self.kv_heads
        keys = cache[0][:, :, : start + length].repeat_interleave(share, dim=1)
        values = cache[1][:, :, : start + length].repeat_interleave(share, dim=1)
        scores = query @ keys.transpose(-1, -2) * self.head**-0.5
        if length > 1:
            hidden = torch.ones(length, start + length, dtype=torch.bool).triu(start + 1)
            scores = scores.masked_fill(hidden, float("-inf"))
        mixed = functional.softmax(scores, dim=-1) @ values
        return self.output(mixed.transpose(1, 2).reshape(batch, length, -1))

    def forward(self, x, cache, positions):
        x = x + self.attend(self.attention_norm(x), cache, positions)
        hidden = self.feed_norm(x)
        return x + self.down(functional.silu(self.gate(hidden)) * self.up(hidden))


class Transformer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.head = shape["width"] // shape["heads"]
        self.embedding = nn.Embedding(shape["vocabulary"], shape["width"])
        sizes = [shape[key] for key in ("width", "heads", "kv_heads", "feed_forward")]
        self.blocks = nn.ModuleList(Block(*sizes) for _ in range(shape["layers"]))
        self.norm = Norm(shape["width"])
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.05)

    def new_cache(self, batch, length, dtype):
        size = (batch, self.shape["kv_heads"], length, self.head)
        return [(torch.zeros(size, dtype=dtype), torch.zeros(size, dtype=dtype)) for _ in self.blocks]

    def forward(self, tokens, cache, start):
        x = self.embedding(tokens)
        rates = 10000.0 ** (-torch.arange(0, self.head, 2) / self.head)
        angles = torch.arange(start, start + tokens.shape[1])[:, None] * rates
        positions = (angles.cos().to(x.dtype), angles.sin().to(x.dtype), start)
        for block, kept in zip(self.blocks, cache):
            x = block(x, kept, positions)
        return self.norm(x[:, -1]) @ self.embedding.weight.t()


class Engine:
    """The model in the precision asked for, on `num_threads` threads; the same weights in every precision."""

    def __init__(self, settings):
        self.settings = settings
        torch.set_num_threads(settings.own["num_threads"])
        torch.set_grad_enabled(False)
        torch.manual_seed(1)
        self.model = Transformer(SHAPES[settings.model_name]).eval()
        self.count = sum(weight.numel() for weight in self.model.parameters())
        self.dtype = torch.float32
        if settings.precision == "bf16":
            self.dtype = torch.bfloat16
            self.model = self.model.to(self.dtype)
        elif settings.precision == "int8":
            self.model = torch.quantization.quantize_dynamic(self.model, {nn.Linear}, dtype=torch.qint8)

    def version(self):
        return torch.__version__

    def about(self):
        return f"{self.count / 1e6:.1f} M parameters"

    def vocabulary(self):
        return SHAPES[self.settings.model_name]["vocabulary"]

    def generate(self, prompts):
        """Prefills and decodes a batch greedily; every prompt gets max_output_tokens."""
        steps, length = self.settings.max_output_tokens, len(prompts[0])
        cache = self.model.new_cache(len(prompts), length + steps, self.dtype)
        answers = [Answer(time.monotonic_ns()) for _ in prompts]
        tokens, start = torch.tensor(prompts), 0
        for _ in range(steps):
            best = self.model(tokens, cache, start).argmax(dim=-1)
            column, now = best.tolist(), time.monotonic_ns()
            for answer, token in zip(answers, column):
                answer.tokens.append(token)
                answer.token_ns.append(now)
            start += tokens.shape[1]
            tokens = best[:, None]
        return answers
