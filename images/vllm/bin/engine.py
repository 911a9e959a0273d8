"""vLLM's engine, stepped by hand: after each step it is known which requests have how many tokens."""

import time

import vllm
from contract import Answer


class Engine:
    def __init__(self, settings):
        own = settings.own
        self.steps = settings.max_output_tokens
        self.llm = vllm.LLM(
            model=settings.model_name,
            dtype=settings.precision,
            tensor_parallel_size=own["tensor_parallel_size"],
            gpu_memory_utilization=own["gpu_memory_utilization"],
            quantization=own["quantization"],
            enforce_eager=own["enforce_eager"],
            max_num_seqs=settings.batch_size,
            max_model_len=settings.max_input_tokens + settings.max_output_tokens,
            enable_prefix_caching=False,  # prompts come back: in the warmup, and in each cycle
            seed=settings.random_seed,
        )
        self.asked = 0

    def version(self):
        return vllm.__version__

    def vocabulary(self):
        return self.llm.llm_engine.model_config.get_vocab_size()

    def generate(self, prompts):
        engine = self.llm.llm_engine
        wanted = vllm.SamplingParams(
            temperature=0, max_tokens=self.steps, min_tokens=self.steps, ignore_eos=True, detokenize=False
        )
        answers = {}
        for prompt in prompts:
            self.asked += 1
            answers[str(self.asked)] = Answer(time.monotonic_ns())
            engine.add_request(str(self.asked), {"prompt_token_ids": prompt}, wanted)
        while engine.has_unfinished_requests():
            outputs = engine.step()
            now = time.monotonic_ns()
            for output in outputs:
                answer = answers[output.request_id]
                answer.tokens = list(output.outputs[0].token_ids)
                answer.token_ns += [now] * (len(answer.tokens) - len(answer.token_ns))
        return list(answers.values())
