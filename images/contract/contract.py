"""Runs one experiment of inference as a campaign's payload: warmup, measured prompts, process_0.json and its marker.

An engine has `version()`, `vocabulary()` and `generate(prompts)`, which gives an Answer for each prompt, and may have
`about()` for the line that is printed. Prompts are lists of random tokens. Exits with 0, with 2 and one line for a
configuration that cannot be run, with 1 and one line for anything else.

With --dry-run or CAMPAIGN_DRY_RUN=1 the engine is not even imported: made-up tokens take its place, and everything else
is as it would be. The result says so.
"""

import hashlib
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

from settings import BadConfig, read_settings

WINDOW = 5
TARGET_VARIATION = 0.05


@dataclass
class Answer:
    """Of one prompt: it was begun at begin_ns; token_ns[k] is when tokens[k] was known. CLOCK_MONOTONIC."""

    begin_ns: int
    token_ns: list = field(default_factory=list)
    tokens: list = field(default_factory=list)


class DryEngine:
    """Answers with tokens that depend on the prompt alone."""

    def __init__(self, settings):
        self.steps = settings.max_output_tokens

    def version(self):
        return "dry run"

    def vocabulary(self):
        return 4096

    def generate(self, prompts):
        answers = []
        for prompt in prompts:
            answer, made = Answer(time.monotonic_ns()), random.Random(repr(prompt))
            for _ in range(self.steps):
                answer.tokens.append(made.randrange(self.vocabulary()))
                answer.token_ns.append(time.monotonic_ns())
            answers.append(answer)
        return answers


class Metrics:
    """$CAMPAIGN_METRICS_FILE: JSON lines, one write each. Does nothing where the variable is unset."""

    def __init__(self):
        path = os.environ.get("CAMPAIGN_METRICS_FILE")
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if path else None

    def line(self, **values):
        if self.file is not None:
            os.write(self.file, (json.dumps(values) + "\n").encode())

    def phase(self, name, mark):
        self.line(kind="phase", name=name, mark=mark, mono_ns=time.monotonic_ns())

    def requests(self, answers, settings):
        for answer in answers:
            self.line(
                kind="request",
                latency_s=(answer.token_ns[-1] - answer.begin_ns) / 1e9,
                ttft_s=(answer.token_ns[0] - answer.begin_ns) / 1e9,
                tokens_in=settings.max_input_tokens,
                tokens_out=len(answer.tokens),
                mono_ns=answer.token_ns[-1],
            )

    def progress(self, done, total):
        self.line(kind="progress", done=done, total=total, mono_ns=time.monotonic_ns())


def asked(engine, settings, prompts):
    answers = engine.generate(prompts)
    for answer in answers:
        if len(answer.tokens) != settings.max_output_tokens:
            raise RuntimeError(f"{len(answer.tokens)} tokens were generated, not {settings.max_output_tokens}")
    return answers


def variation(values):
    """Population standard deviation / mean of the last WINDOW values."""
    last = values[-WINDOW:]
    middle = sum(last) / len(last)
    return (sum((value - middle) ** 2 for value in last) / len(last)) ** 0.5 / middle


def warm_up(engine, settings, metrics, prompts):
    begin, latencies, converged = time.monotonic(), [], settings.warmup_prompts == 0
    while len(latencies) < settings.warmup_prompts and not converged:
        if settings.warmup_timeout_s and time.monotonic() - begin >= settings.warmup_timeout_s:
            break
        at = len(latencies) % len(prompts)
        answers = asked(engine, settings, prompts[at : at + 1])
        metrics.requests(answers, settings)
        latencies.append((answers[0].token_ns[-1] - answers[0].begin_ns) / 1e6)
        converged = len(latencies) >= WINDOW and variation(latencies) < TARGET_VARIATION
    return {
        "converged": converged,
        "final_cv": variation(latencies) if latencies else 0,
        "iterations_completed": len(latencies),
        "target_cv": TARGET_VARIATION,
        "max_prompts": settings.warmup_prompts,
        "latencies_ms": latencies,
    }


def utc_now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def measure(engine, settings, metrics, prompts):
    answers, size = [], settings.batch_size
    metrics.phase("measure", "begin")
    start, begin_ns = utc_now(), time.monotonic_ns()
    for done in range(0, len(prompts), size):
        batch = asked(engine, settings, prompts[done : done + size])
        answers += batch
        metrics.requests(batch, settings)
        metrics.progress(min(done + size, len(prompts)), len(prompts))
    seconds, end = (time.monotonic_ns() - begin_ns) / 1e9, utc_now()
    metrics.phase("measure", "end")
    return answers, {"start": start, "end": end, "duration_sec": seconds}


def percentile(ordered, p):
    """Linear interpolation at p/100*(n-1); None of nothing."""
    if not ordered:
        return None
    at = p / 100 * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def latency_measurements(answers):
    ttft = [(answer.token_ns[0] - answer.begin_ns) / 1e6 for answer in answers]
    itl = [(after - before) / 1e6 for answer in answers for before, after in zip(answer.token_ns, answer.token_ns[1:])]
    result = {}
    for name, values in (("ttft", ttft), ("itl", itl)):
        ordered = sorted(values)
        result[f"{name}_ms"] = values
        for p in (50, 95, 99):
            result[f"{name}_p{p}_ms"] = percentile(ordered, p)
        result[f"{name}_mean_ms"] = sum(values) / len(values) if values else None
    return result


def inference_metrics(settings, answers, seconds):
    tokens_in = settings.num_input_prompts * settings.max_input_tokens
    tokens_out = settings.num_input_prompts * settings.max_output_tokens
    latencies = latency_measurements(answers)
    return {
        "total_tokens": tokens_in + tokens_out,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "inference_time_sec": seconds,
        "tokens_per_second": tokens_out / seconds,
        "latency_per_token_ms": seconds * 1000 / tokens_out,
        "time_to_first_token_ms": latencies["ttft_mean_ms"],
        "latency_measurements": latencies,
    }


def draw_prompts(settings, vocabulary):
    draw = random.Random(settings.random_seed)
    return [[draw.randrange(vocabulary) for _ in range(settings.max_input_tokens)]
            for _ in range(settings.num_input_prompts)]


def output_hash(answers):
    """Equal for equal texts."""
    return hashlib.sha256(json.dumps([answer.tokens for answer in answers]).encode()).hexdigest()[:16]


def replace_file(path, content):
    with open(path + ".tmp", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".tmp", path)


def leave(folder, result):
    """process_0.json, and then the marker that says that it is whole."""
    content = (json.dumps(result, indent=1) + "\n").encode()
    replace_file(os.path.join(folder, "process_0.json"), content)
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    marker = {
        "process_index": 0,
        "gpu_id": devices.split(",")[0] if devices else None,
        "result_path": "process_0.json",
        "timestamp": utc_now(),
        "result_hash": hashlib.sha256(content).hexdigest(),
    }
    replace_file(os.path.join(folder, ".completed_0"), (json.dumps(marker) + "\n").encode())


def run(backend, dry):
    settings = read_settings(backend)
    folder = os.environ.get("CAMPAIGN_RESULTS_DIR")
    if not folder:
        raise BadConfig("CAMPAIGN_RESULTS_DIR is not set")
    metrics, engine = Metrics(), DryEngine(settings) if dry else backend.make_engine(settings)
    prompts = draw_prompts(settings, engine.vocabulary())
    metrics.phase("warmup", "begin")
    warmup = warm_up(engine, settings, metrics, prompts)
    metrics.phase("warmup", "end")
    answers, timestamps = measure(engine, settings, metrics, prompts)
    measured = inference_metrics(settings, answers, timestamps["duration_sec"])
    result = {
        "schema_version": "3.0.0",
        "experiment_id": os.environ.get("CAMPAIGN_EXPERIMENT") or "unnamed",
        "backend": backend.name,
        "backend_version": engine.version(),
        "process_index": 0,
        "config_name": settings.config_name,
        "model_name": settings.model_name,
        "timestamps": timestamps,
        "inference_metrics": measured,
        "warmup_result": warmup,
        "extended_metrics": {"output_hash": output_hash(answers), **({"dry_run": True} if dry else {})},
        "effective_config": settings.document,
    }
    leave(folder, result)
    about = f" ({engine.about()})" if hasattr(engine, "about") else ""
    print(
        f"{backend.name} {engine.version()} {settings.precision}{about}: "
        f"{settings.num_input_prompts} prompts of {settings.max_input_tokens} + {settings.max_output_tokens} tokens, "
        f"{measured['tokens_per_second']:.1f} tok/s"
    )


def main(backend):
    arguments = sys.argv[1:]
    dry = "--dry-run" in arguments or os.environ.get("CAMPAIGN_DRY_RUN") == "1"
    try:
        if [word for word in arguments if word != "--dry-run"]:
            raise BadConfig(f"usage: {os.path.basename(sys.argv[0])} [--dry-run]")
        run(backend, dry)
    except BadConfig as error:
        print(f"bad configuration: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        print(f"failed: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0
