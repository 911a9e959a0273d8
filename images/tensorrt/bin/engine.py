"""TensorRT-LLM's LLM: the answers of a batch are streamed side by side, each token with its time."""

import asyncio
import time

import tensorrt_llm
from contract import Answer
from tensorrt_llm import LLM, SamplingParams
from tensorrt_llm.llmapi import KvCacheConfig
from transformers import AutoConfig


class Engine:
    def __init__(self, settings):
        own = settings.own
        self.model, self.steps = settings.model_name, settings.max_output_tokens
        self.loop = asyncio.new_event_loop()  # of all answers
        self.llm = LLM(
            model=settings.model_name,
            dtype=settings.precision,
            tensor_parallel_size=own["tensor_parallel_size"],
            max_batch_size=settings.batch_size,
            max_seq_len=settings.max_input_tokens + settings.max_output_tokens,
            # Prompts come back, in the warmup and in each cycle: what is known of them must not be used again.
            kv_cache_config=KvCacheConfig(
                enable_block_reuse=False, free_gpu_memory_fraction=own["kv_cache_fraction"]
            ),
        )

    def version(self):
        return tensorrt_llm.__version__

    def vocabulary(self):
        return AutoConfig.from_pretrained(self.model).vocab_size

    async def answer(self, prompt):
        wanted = SamplingParams(
            top_k=1, max_tokens=self.steps, min_tokens=self.steps, ignore_eos=True, detokenize=False
        )
        answer = Answer(time.monotonic_ns())
        async for output in self.llm.generate_async(prompt, sampling_params=wanted, streaming=True):
            answer.tokens = list(output.outputs[0].token_ids)
            answer.token_ns += [time.monotonic_ns()] * (len(answer.tokens) - len(answer.token_ns))
        return answer

    async def answers(self, prompts):
        return await asyncio.gather(*(self.answer(prompt) for prompt in prompts))

    def generate(self, prompts):
        return self.loop.run_until_complete(self.answers(prompts))
