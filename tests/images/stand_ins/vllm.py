"""As much of vLLM 0.11 as images/vllm calls, by its documentation: each step gives every running request a token."""

from types import SimpleNamespace

__version__ = "0.11.0-stand-in"


class SamplingParams:
    def __init__(self, *, temperature, max_tokens, min_tokens, ignore_eos, detokenize):
        assert temperature == 0 and ignore_eos and not detokenize and min_tokens == max_tokens
        self.max_tokens = max_tokens


class LLMEngine:
    def __init__(self, most, longest):
        self.most, self.longest = most, longest
        self.requests = {}
        self.model_config = SimpleNamespace(get_vocab_size=lambda: 1000)

    def add_request(self, request_id, prompt, params):
        tokens = prompt["prompt_token_ids"]
        assert isinstance(request_id, str) and request_id not in self.requests
        assert len(tokens) + params.max_tokens <= self.longest
        self.requests[request_id] = (sum(tokens), params.max_tokens, [])
        assert len(self.requests) <= self.most, "more at a time than max_num_seqs"

    def has_unfinished_requests(self):
        return bool(self.requests)

    def step(self):
        outputs = []
        for request_id, (begin, most, tokens) in list(self.requests.items()):
            tokens.append((begin + len(tokens)) % 1000)
            outputs.append(SimpleNamespace(request_id=request_id, outputs=[SimpleNamespace(token_ids=tuple(tokens))]))
            if len(tokens) == most:
                del self.requests[request_id]
        return outputs


class LLM:
    def __init__(self, *, model, dtype, tensor_parallel_size, gpu_memory_utilization, quantization, enforce_eager,
                 max_num_seqs, max_model_len, enable_prefix_caching, seed):
        assert not enable_prefix_caching and tensor_parallel_size == 1 and model == "/models/small"
        self.llm_engine = LLMEngine(max_num_seqs, max_model_len)
