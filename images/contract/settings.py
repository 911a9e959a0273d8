"""What a campaign asks of a payload: the experiment's resolved configuration and the CAMPAIGN_* variables.

An image says by a Backend what it can run; everything else is the same for all of them.
"""

import json
import os
from dataclasses import dataclass, field
from typing import Callable, Optional

import yaml

MOST = 1_000_000_000


class BadConfig(Exception):
    """A configuration that cannot be run: one line that says what is wrong and where."""


@dataclass
class Settings:
    config_name: Optional[str]
    model_name: str
    precision: str  # in the engine's words
    batch_size: int  # prompts that are worked on together
    max_input_tokens: int  # tokens of each prompt
    max_output_tokens: int  # tokens generated for each prompt, never fewer
    num_input_prompts: int
    random_seed: int
    warmup_prompts: int  # at most so many; 0 is none
    warmup_timeout_s: float  # 0 is none
    own: dict  # the values of the backend's own keys
    document: dict


@dataclass(frozen=True)
class Backend:
    """An engine: `make_engine(settings)` imports it, so that configurations are checked without it."""

    name: str
    precisions: dict  # as it may be written -> in the engine's words
    make_engine: Callable
    models: tuple = ()  # empty: any name or path
    keys: dict = field(default_factory=dict)  # of its own: key -> function of the configuration


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


def wrong(key, value, expected):
    return BadConfig(f"{key} is {json.dumps(value, default=str)}, expected {expected}")


def text(document, key, fallback=...):
    value = document.get(key)
    if value is None:
        if fallback is ...:
            raise BadConfig(f"{key} is missing")
        return fallback
    if not isinstance(value, str):
        raise wrong(key, value, "a string")
    return value


def count(document, key, least, fallback):
    value = document.get(key)
    if value is None:
        return fallback
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise wrong(key, value, f"a whole number from {least}")
    return value


def share(document, key, fallback):
    """A number above 0, at most 1."""
    value = document.get(key)
    if value is None:
        return fallback
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise wrong(key, value, "a number above 0, at most 1")
    return float(value)


def flag(document, key, fallback):
    value = document.get(key)
    if value is None:
        return fallback
    if not isinstance(value, bool):
        raise wrong(key, value, "true or false")
    return value


def one_of(known, key, value):
    if value not in known:
        raise BadConfig(f'{key} is "{value}", this image has {", ".join(known)}')
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


def read_settings(backend):
    """Reads $CAMPAIGN_CONFIG; CAMPAIGN_WARMUP_PROMPTS and CAMPAIGN_WARMUP_TIMEOUT win over its `warmup`."""
    path = os.environ.get("CAMPAIGN_CONFIG")
    if not path:
        raise BadConfig("CAMPAIGN_CONFIG is not set: it names the configuration file")
    document = load(path)
    named = text(document, "backend", backend.name)
    if named != backend.name:
        raise BadConfig(f'backend is "{named}", this is {backend.name}')
    model = text(document, "model_name")
    return Settings(
        config_name=text(document, "config_name", None),
        model_name=one_of(backend.models, "model_name", model) if backend.models else model,
        precision=backend.precisions[one_of(backend.precisions, "fp_precision", text(document, "fp_precision"))],
        batch_size=count(document, "batch_size", 1, 1),
        max_input_tokens=count(document, "max_input_tokens", 1, 64),
        max_output_tokens=count(document, "max_output_tokens", 1, 64),
        num_input_prompts=count(document, "num_input_prompts", 1, 8),
        random_seed=count(document, "random_seed", 0, 42),
        warmup_prompts=warmup_prompts(document),
        warmup_timeout_s=seconds("CAMPAIGN_WARMUP_TIMEOUT"),
        own={key: read(document) for key, read in backend.keys.items()},
        document=document,
    )
