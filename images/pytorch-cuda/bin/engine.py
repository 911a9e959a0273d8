"""A causal model of transformers on the first CUDA device, decoded greedily step by step."""

import time

import torch
from contract import Answer
from transformers import AutoModelForCausalLM


class Engine:
    def __init__(self, settings):
        if not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no CUDA device")
        torch.set_grad_enabled(False)
        self.steps = settings.max_output_tokens
        self.model = AutoModelForCausalLM.from_pretrained(
            settings.model_name,
            torch_dtype=getattr(torch, settings.precision),
            attn_implementation=settings.own["attention"],
        )
        self.model = self.model.to("cuda").eval()

    def version(self):
        return torch.__version__

    def vocabulary(self):
        return self.model.config.vocab_size

    def about(self):
        return torch.cuda.get_device_name(0)

    def generate(self, prompts):
        answers = [Answer(time.monotonic_ns()) for _ in prompts]
        tokens, cache = torch.tensor(prompts, device="cuda"), None
        for _ in range(self.steps):
            output = self.model(input_ids=tokens, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            best = output.logits[:, -1].argmax(dim=-1)
            column = best.tolist()  # waits for the device
            now = time.monotonic_ns()
            for answer, token in zip(answers, column):
                answer.tokens.append(token)
                answer.token_ns.append(now)
            tokens = best[:, None]
        return answers
