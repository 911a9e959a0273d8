"""As much of TensorRT-LLM's LLM API as images/tensorrt calls, by its documentation: answers come token by token."""

import asyncio
from types import SimpleNamespace

__version__ = "1.2-stand-in"


class SamplingParams:
    def __init__(self, *, top_k, max_tokens, min_tokens, ignore_eos, detokenize):
        assert top_k == 1 and ignore_eos and not detokenize and min_tokens == max_tokens
        self.max_tokens = max_tokens


class LLM:
    def __init__(self, *, model, dtype, tensor_parallel_size, max_batch_size, max_seq_len, kv_cache_config):
        assert not kv_cache_config.enable_block_reuse and model == "/models/small"
        self.most, self.longest, self.running = max_batch_size, max_seq_len, 0

    async def generate_async(self, inputs, sampling_params, streaming):
        assert streaming and len(inputs) + sampling_params.max_tokens <= self.longest
        self.running += 1
        assert self.running <= self.most, "more at a time than max_batch_size"
        tokens = []
        for step in range(sampling_params.max_tokens):
            await asyncio.sleep(0)
            tokens.append((sum(inputs) + step) % 1000)
            yield SimpleNamespace(outputs=[SimpleNamespace(token_ids=list(tokens))])
        self.running -= 1
