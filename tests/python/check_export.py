"""Checks that PEFT loads adapters written by ia3-web without a warning and answers the same.

    check_export.py ADAPTER_FOLDER... [--minilm FOLDER]
    check_export.py ADAPTER_FOLDER --base MODEL_FOLDER --expected FILE

Without --base and --expected every adapter folder names them itself: `base.txt` holds `tiny-bert`, `tiny-bert-mean`
(folders of tests/fixtures/) or `minilm`, and `expected.json` holds
    texts              a string or a [text, pair] for each row, and optionally max_length; or instead of texts
    input_ids, attention_mask, token_type_ids      one list per row
    logits             one list per row
    embeddings         one list per row, of length one; only for adapters with head.safetensors
Prints one line per check; the exit code is 0 if all of them passed.
"""

import argparse
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import AutoTokenizer
from transformers.utils import logging

from exported import Encoder, SequenceClassifier, read_config

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
TOLERANCE = 1e-4


def main():
    options = arguments()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    warnings.simplefilter("error")
    # Not about the adapter: transformers deprecates an attribute that PEFT reads.
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing.*")
    failures = sum(check(folder, options) for folder in options.adapters)
    print(f"{len(options.adapters)} adapters, {failures} checks failed")
    sys.exit(1 if failures else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapters", nargs="+", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--expected", type=Path)
    parser.add_argument("--minilm", type=Path)
    return parser.parse_args()


def check(folder, options):
    """Runs every check of one adapter folder and returns how many failed."""
    base = options.base or base_named((folder / "base.txt").read_text().strip(), options.minilm)
    expected = json.loads((options.expected or folder / "expected.json").read_text())
    kind = {"SEQ_CLS": SequenceClassifier, "FEATURE_EXTRACTION": Encoder}[read_config(folder)["task_type"]]
    with tempfile.TemporaryDirectory() as work:
        exported = kind(base, folder, Path(work))
        if not passes(folder, "PEFT loads it without a warning", exported.load):
            return 1
        checks = exported.checks(tokenized(base, expected), expected, TOLERANCE)
        return sum(not passes(folder, name, run) for name, run in checks)


def passes(folder, name, run):
    try:
        detail = run()
    except Exception as error:  # a warning, an error of PEFT or a difference: each of them is the finding
        print(f"FAIL  {folder.name}: {name}: {type(error).__name__}: {error}")
        return False
    print(f"ok    {folder.name}: {name}{f' ({detail})' if detail else ''}")
    return True


def base_named(name, minilm):
    if name != "minilm":
        return FIXTURES / name
    if minilm is None:
        sys.exit("an adapter for minilm needs --minilm FOLDER")
    return minilm


def tokenized(base, expected):
    if "input_ids" in expected:
        return {name: torch.tensor(expected[name]) for name in ("input_ids", "attention_mask", "token_type_ids")}
    rows = [[row] if isinstance(row, str) else row for row in expected["texts"]]
    tokenizer = AutoTokenizer.from_pretrained(base)
    max_length = expected.get("max_length")
    # A batch may mix rows with and without a second text, which transformers does not take in one call.
    single = [tokenizer(*row, truncation=max_length is not None, max_length=max_length) for row in rows]
    return dict(tokenizer.pad(single, return_tensors="pt"))


if __name__ == "__main__":
    main()
