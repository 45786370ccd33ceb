"""The two formats in which ia3-web saves an adapter, loaded with PEFT, and the checks of each."""

import importlib.util
import json

import torch
import torch.nn.functional as F
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification

TENSORS = "adapter_model.safetensors"


def read_config(folder):
    return json.loads((folder / "adapter_config.json").read_text())


class Exported:
    """An adapter folder on a base model folder; loaded by PEFT before any check; `work` is an empty folder."""

    def __init__(self, base, folder, work):
        self.base, self.folder, self.work = base, folder, work

    def checks(self, inputs, expected, tolerance):
        yield "PEFT misses no tensor and finds no strange one", self.keys
        yield "PEFT saves the same tensors again", self.tensors_again
        yield "PEFT saves the same configuration again", self.config_again
        yield "logits agree", lambda: difference(self.logits(inputs), expected["logits"], tolerance)

    def load(self):
        self.model = PeftModel.from_pretrained(self.base_model(), self.folder).eval()

    def keys(self):
        result = self.model.load_adapter(self.folder, "again")
        missing = [name for name in result.missing_keys if "again" in name]
        self.model.delete_adapter("again")
        assert not missing and not result.unexpected_keys, f"missing {missing}, unexpected {result.unexpected_keys}"

    def tensors_again(self):
        ours, theirs = load_file(self.folder / TENSORS), load_file(self.saved_again() / TENSORS)
        assert set(ours) == set(theirs), f"names differ: {sorted(set(ours) ^ set(theirs))}"
        different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
        assert not different, f"values differ: {different}"
        return f"{len(ours)} tensors"

    def config_again(self):
        ours, theirs = comparable(read_config(self.folder)), comparable(read_config(self.saved_again()))
        different = {name for name in ours.keys() | theirs.keys() if ours.get(name, "") != theirs.get(name, "")}
        assert not different, "; ".join(f"{name}: {ours.get(name)!r} became {theirs.get(name)!r}" for name in different)

    def saved_again(self):
        # No embedding is ever part of these adapters; to find that out PEFT would ask the Hub for the base's config.
        self.model.save_pretrained(self.work, save_embedding_layers=False)
        return self.work


def comparable(config):
    """PEFT writes lists in the order of a set, heads twice after loading, and its own version."""
    config = {name: sorted(set(value)) if isinstance(value, list) else value for name, value in config.items()}
    config.pop("peft_version", None)
    return config


class SequenceClassifier(Exported):
    """`pooling: "pooler"`: PEFT's SEQ_CLS folder with the head inside."""

    def base_model(self):
        labels = json.loads((self.folder / "labels.json").read_text())
        return AutoModelForSequenceClassification.from_pretrained(self.base, num_labels=len(labels))

    @torch.no_grad()
    def logits(self, inputs):
        return self.model(**inputs).logits


class Encoder(Exported):
    """`pooling: "mean"`: PEFT's FEATURE_EXTRACTION folder, with the head in files of its own."""

    def checks(self, inputs, expected, tolerance):
        yield from super().checks(inputs, expected, tolerance)
        yield "the head has a row per label", self.head
        if "embeddings" in expected:
            target = expected["embeddings"]
            yield "embeddings agree", lambda: difference(self.embeddings(inputs), target, tolerance)
        if importlib.util.find_spec("sentence_transformers"):
            yield (
                "sentence-transformers gives the same embeddings",
                lambda: difference(self.sentence_embeddings(inputs), self.embeddings(inputs), tolerance),
            )

    def base_model(self):
        return AutoModel.from_pretrained(self.base)

    @torch.no_grad()
    def embeddings(self, inputs):
        states = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        return F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def logits(self, inputs):
        head = load_file(self.folder / "head.safetensors")
        return self.embeddings(inputs) @ head["weight"].T + head["bias"]

    def head(self):
        config = json.loads((self.folder / "head_config.json").read_text())
        head = load_file(self.folder / "head.safetensors")
        assert config["pooling"] == "mean" and config["normalize"] is True, config
        assert len(config["labels"]) == head["weight"].shape[0] == head["bias"].shape[0]
        return ", ".join(config["labels"])

    @torch.no_grad()
    def sentence_embeddings(self, inputs):
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

        transformer = Transformer(str(self.base))
        width = transformer.get_embedding_dimension()
        model = SentenceTransformer(modules=[transformer, Pooling(width, "mean"), Normalize()], device="cpu")
        model.load_adapter(str(self.folder))
        return model.eval()(dict(inputs))["sentence_embedding"]


def difference(found, expected, tolerance):
    """The largest absolute difference, in words; raises when it exceeds the tolerance."""
    expected = torch.as_tensor(expected, dtype=found.dtype)
    assert found.shape == expected.shape, f"shapes {tuple(found.shape)} and {tuple(expected.shape)}"
    largest = (found - expected).abs().max().item()
    assert largest <= tolerance, f"largest difference {largest:.2e} > {tolerance}"
    return f"largest difference {largest:.1e}"
