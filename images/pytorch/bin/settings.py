"""What the campaign asks this payload to do: the experiment's resolved configuration and the CAMPAIGN_* variables."""

import json
import os
from dataclasses import dataclass
from typing import Optional

import yaml

PRECISIONS = {"f32": "f32", "fp32": "f32", "float32": "f32", "bf16": "bf16", "bfloat16": "bf16", "int8": "int8"}
MODELS = ("random-11m", "random-2m")
MOST = 1_000_000_000


class BadConfig(Exception):
    """A configuration that cannot be run: one line that says what is wrong and where."""


@dataclass
class Settings:
    config_name: Optional[str]
    model_name: str
    precision: str  # f32, bf16 or int8 (dynamically quantised linear layers)
    batch_size: int  # prompts that are decoded together
    max_input_tokens: int  # tokens of each prompt
    max_output_tokens: int  # tokens generated for each prompt, never fewer
    num_input_prompts: int
    random_seed: int
    threads: int
    warmup_prompts: int  # at most so many; 0 is none
    warmup_timeout_s: float  # 0 is none
    document: dict


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.safe_load(file)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror} (CAMPAIGN_CONFIG names it)") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise BadConfig(f"{path}: expected a map of settings")
    return document


def text(document, key, fallback=...):
    value = document.get(key)
    if value is None:
        if fallback is ...:
            raise BadConfig(f"{key} is missing")
        return fallback
    if not isinstance(value, str):
        raise BadConfig(f"{key} is {json.dumps(value, default=str)}, expected a string")
    return value


def count(document, key, least, fallback):
    value = document.get(key)
    if value is None:
        return fallback
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise BadConfig(f"{key} is {json.dumps(value, default=str)}, expected a whole number from {least}")
    return value


def seconds(name):
    written = os.environ.get(name) or "0"
    try:
        value = float(written)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST:
        raise BadConfig(f'{name} is "{written}", expected seconds')
    return value


def warmup_prompts(document):
    warmup = document.get("warmup") or {}
    if not isinstance(warmup, dict):
        raise BadConfig("warmup is not a map")
    enabled = warmup.get("enabled", True)
    if not isinstance(enabled, bool):
        raise BadConfig("warmup.enabled is neither true nor false")
    if not enabled:
        return 0
    if os.environ.get("CAMPAIGN_WARMUP_PROMPTS"):
        return int(seconds("CAMPAIGN_WARMUP_PROMPTS"))
    return count(warmup, "max_prompts", 0, 5)


def one_of(known, key, value):
    if value not in known:
        raise BadConfig(f'{key} is "{value}", this image has {", ".join(known)}')
    return value


def read_settings():
    """Reads $CAMPAIGN_CONFIG; CAMPAIGN_WARMUP_PROMPTS and CAMPAIGN_WARMUP_TIMEOUT win over its `warmup`."""
    path = os.environ.get("CAMPAIGN_CONFIG")
    if not path:
        raise BadConfig("CAMPAIGN_CONFIG is not set: it names the configuration file")
    document = load(path)
    backend = text(document, "backend", "pytorch")
    if backend != "pytorch":
        raise BadConfig(f'backend is "{backend}", this is pytorch')
    return Settings(
        config_name=text(document, "config_name", None),
        model_name=one_of(MODELS, "model_name", text(document, "model_name")),
        precision=PRECISIONS[one_of(PRECISIONS, "fp_precision", text(document, "fp_precision"))],
        batch_size=count(document, "batch_size", 1, 1),
        max_input_tokens=count(document, "max_input_tokens", 1, 64),
        max_output_tokens=count(document, "max_output_tokens", 1, 64),
        num_input_prompts=count(document, "num_input_prompts", 1, 8),
        random_seed=count(document, "random_seed", 0, 42),
        threads=count(document, "num_threads", 1, 1),
        warmup_prompts=warmup_prompts(document),
        warmup_timeout_s=seconds("CAMPAIGN_WARMUP_TIMEOUT"),
        document=document,
    )
