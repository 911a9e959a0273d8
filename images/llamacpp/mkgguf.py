#!/usr/bin/env python3
"""Writes small random models of the llama architecture as GGUF v3, no packages needed.

    mkgguf.py FOLDER

makes random-11m-f16.gguf and random-11m-q8_0.gguf there: the same weights (seed 1), once as 16-bit floats, once in
blocks of 32 8-bit integers. 11 M parameters, 6 layers, a byte tokenizer with filler tokens. The text it generates
has no meaning; the arithmetic is that of a real model of this size.
"""

import random
import statistics
import struct
import sys

NAME = "random-11m"
LAYERS, WIDTH, HEADS, KV_HEADS, FEED_FORWARD, VOCABULARY, CONTEXT = 6, 384, 6, 2, 1024, 4096, 2048
SIGMA = 0.05
F32, F16, Q8_0 = 0, 1, 8
FILE_TYPES = {F16: 1, Q8_0: 7}
ALIGNMENT = 32

NORMAL = [statistics.NormalDist(0, SIGMA).inv_cdf((i + 0.5) / 256) for i in range(256)]
HALVES = [struct.pack("<e", value) for value in NORMAL]
LOW, HIGH = bytes(half[0] for half in HALVES), bytes(half[1] for half in HALVES)
SCALE = struct.pack("<e", max(NORMAL) / 127)
STEP = struct.unpack("<e", SCALE)[0]
INTEGERS = bytes(max(-127, min(127, round(value / STEP))) & 255 for value in NORMAL)


def as_f16(draws):
    data = bytearray(2 * len(draws))
    data[0::2] = draws.translate(LOW)
    data[1::2] = draws.translate(HIGH)
    return data


def as_q8_0(draws):
    integers = draws.translate(INTEGERS)
    data = bytearray(34 * (len(draws) // 32))
    data[0::34] = SCALE[:1] * (len(draws) // 32)
    data[1::34] = SCALE[1:] * (len(draws) // 32)
    for i in range(32):
        data[2 + i :: 34] = integers[i::32]
    return data


def shapes():
    head = WIDTH // HEADS
    yield "token_embd.weight", (WIDTH, VOCABULARY)
    yield "output_norm.weight", (WIDTH,)
    for i in range(LAYERS):
        block = f"blk.{i}."
        yield block + "attn_norm.weight", (WIDTH,)
        yield block + "attn_q.weight", (WIDTH, WIDTH)
        yield block + "attn_k.weight", (WIDTH, KV_HEADS * head)
        yield block + "attn_v.weight", (WIDTH, KV_HEADS * head)
        yield block + "attn_output.weight", (WIDTH, WIDTH)
        yield block + "ffn_norm.weight", (WIDTH,)
        yield block + "ffn_gate.weight", (WIDTH, FEED_FORWARD)
        yield block + "ffn_up.weight", (WIDTH, FEED_FORWARD)
        yield block + "ffn_down.weight", (FEED_FORWARD, WIDTH)


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, value):
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    kind = {str: 8, float: 6, int: 5}[type(value[0])]
    packed = {8: text, 6: lambda x: struct.pack("<f", x), 5: lambda x: struct.pack("<i", x)}[kind]
    return text(key) + struct.pack("<IIQ", 9, kind, len(value)) + b"".join(map(packed, value))


def metadata(weights):
    byte_tokens = [f"<0x{i:02X}>" for i in range(256)]
    fillers = [f"\u2581t{i}" for i in range(VOCABULARY - 259)]
    return {
        "general.architecture": "llama",
        "general.name": NAME,
        "general.file_type": FILE_TYPES[weights],
        "general.quantization_version": 2,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.vocab_size": VOCABULARY,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>"] + byte_tokens + fillers,
        "tokenizer.ggml.scores": [0.0] * 259 + [-float(i) for i in range(1, VOCABULARY - 258)],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * (VOCABULARY - 259),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def padded(data):
    return bytes(data) + b"\0" * (-len(data) % ALIGNMENT)


def write(path, weights):
    draw = random.Random(1)
    entries = metadata(weights)
    directory, tensors, offset = b"", [], 0
    for name, shape in shapes():
        if len(shape) == 1:
            kind, data = F32, struct.pack(f"<{shape[0]}f", *[1.0] * shape[0])
        else:
            draws = draw.randbytes(shape[0] * shape[1])
            kind, data = weights, as_f16(draws) if weights == F16 else as_q8_0(draws)
        directory += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        tensors.append(padded(data))
        offset += len(tensors[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    head += b"".join(entry(key, value) for key, value in entries.items()) + directory
    with open(path, "wb") as file:
        file.write(padded(head))
        file.writelines(tensors)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(f"{sys.argv[1]}/{NAME}-f16.gguf", F16)
    write(f"{sys.argv[1]}/{NAME}-q8_0.gguf", Q8_0)
