"""A causal model whose next token is one more than the last, and a configuration with a vocabulary."""

from types import SimpleNamespace

import torch

VOCABULARY = 50


class Model:
    config = SimpleNamespace(vocab_size=VOCABULARY)

    def to(self, device):
        assert device == "cuda"
        return self

    def eval(self):
        return self

    def __call__(self, input_ids, past_key_values, use_cache):
        assert use_cache and (past_key_values is None or len(input_ids.rows[0]) == 1), "the cache is not used"
        logits = [[[float(value == (token + 1) % VOCABULARY) for value in range(VOCABULARY)] for token in row]
                  for row in input_ids.rows]
        return SimpleNamespace(past_key_values=object(), logits=torch.Tensor(logits))


class AutoModelForCausalLM:
    @staticmethod
    def from_pretrained(name, torch_dtype, attn_implementation):
        assert name == "/models/small" and torch_dtype == "float16" and attn_implementation == "sdpa"
        return Model()


class AutoConfig:
    @staticmethod
    def from_pretrained(name):
        assert name == "/models/small"
        return SimpleNamespace(vocab_size=VOCABULARY)
