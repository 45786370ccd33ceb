"""Writes the files of a Hugging Face LLaMA from its GGUF, weights dequantised to F32: dequantise.py GGUF FOLDER

Every element is what the quantised block says, so that a model read from the GGUF itself must answer alike. Only what SmolLM2's
file has is covered: the architecture `llama`, tied embeddings, a byte-level BPE with the pre-tokenizer `smollm`.
"""

import json
import pathlib
import struct
import sys

import gguf
import numpy

# tokenizer.ggml.token_type
NORMAL, CONTROL = 1, 3

# Names in the GGUF and in Hugging Face's file, of a layer and of the rest.
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
REST = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def hub_name(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{LAYER[parts[2]]}.{parts[3]}"
    return f"{REST[parts[0]]}.{parts[1]}"


def rotated_back(rows: numpy.ndarray, heads: int) -> numpy.ndarray:
    """llama.cpp pairs neighbouring columns in RoPE, Hugging Face the two halves of a head: rows of queries and keys change places."""
    out, columns = rows.shape
    return rows.reshape(heads, out // heads // 2, 2, columns).swapaxes(1, 2).reshape(out, columns)


def tensors(reader: gguf.GGUFReader, heads: dict[str, int]) -> dict[str, numpy.ndarray]:
    found = {}
    for tensor in reader.tensors:
        data = gguf.dequantize(tensor.data, tensor.tensor_type).astype("<f4")
        kind = tensor.name.split(".")[-2]
        found[hub_name(tensor.name)] = rotated_back(data, heads[kind]) if kind in heads else data
    return found


def save_safetensors(found: dict[str, numpy.ndarray], path: pathlib.Path) -> None:
    header, start = {}, 0
    for name, data in found.items():
        header[name] = {"dtype": "F32", "shape": list(data.shape), "data_offsets": [start, start + data.nbytes]}
        start += data.nbytes
    text = json.dumps(header).encode()
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for data in found.values():
            out.write(data.tobytes())


def tokenizer(metadata: dict) -> dict:
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    if (metadata["tokenizer.ggml.model"], metadata["tokenizer.ggml.pre"]) != ("gpt2", "smollm"):
        raise SystemExit("only the byte-level BPE of SmolLM2 is covered")
    if set(kinds) - {NORMAL, CONTROL}:
        raise SystemExit("only normal and control tokens are covered")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": at, "content": tokens[at], **plain} for at, kind in enumerate(kinds) if kind == CONTROL]
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "vocab": {token: at for at, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in metadata["tokenizer.ggml.merges"]],
        },
    }


def main(path: str, folder: str) -> None:
    reader = gguf.GGUFReader(path)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    of = lambda name: metadata[f"llama.{name}"]
    heads, key_heads = of("attention.head_count"), of("attention.head_count_kv")
    pad, start, end = (metadata[f"tokenizer.ggml.{name}_token_id"] for name in ("padding", "bos", "eos"))
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": of("embedding_length"),
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "max_position_embeddings": of("context_length"),
        "vocab_size": of("vocab_size"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_theta": of("rope.freq_base"),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "pad_token_id": pad,
        "bos_token_id": start,
        "eos_token_id": end,
    }
    names = metadata["tokenizer.ggml.tokens"]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": metadata["tokenizer.chat_template"],
        "pad_token": names[pad],
        "bos_token": names[start],
        "eos_token": names[end],
        "model_max_length": of("context_length"),
    }
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in (("config.json", config), ("tokenizer.json", tokenizer(metadata)), ("tokenizer_config.json", settings)):
        (out / name).write_text(json.dumps(content, ensure_ascii=False, indent=1))
    save_safetensors(tensors(reader, {"attn_q": heads, "attn_k": key_heads}), out / "model.safetensors")


main(*sys.argv[1:])
