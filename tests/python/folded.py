"""An adapter of IA3 folded into the tensors of a GGUF, by ggml's own Python package: what each element should be, and how far 16-bit scales may
round it."""

import json
import pathlib
import struct

import gguf
import numpy
from gguf import GGMLQuantizationType as Kind

# Where the 16-bit scales and minimums of a block stand.
SCALES = {Kind.Q8_0: (0,), Kind.Q4_0: (0,), Kind.Q5_0: (0,), Kind.Q6_K: (208,)} | dict.fromkeys((Kind.Q4_1, Kind.Q5_1, Kind.Q4_K, Kind.Q5_K), (0, 2))
# Half a step of a number format, as a share of the number, and at least.
HALF_STEP = {Kind.F32: (2.0**-24, 0), Kind.F16: (2.0**-11, 2.0**-25), Kind.BF16: (2.0**-8, 0)}
# In float32, the products may be taken in another order.
OTHER_ORDER = 2e-6


def tensors(path: pathlib.Path) -> dict[str, numpy.ndarray]:
    """A safetensors file of F32."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in entry["data_offsets"])
            found[name] = numpy.frombuffer(data[start:end], "<f4").reshape(entry["shape"]).astype("f8")
    return found


class Folded:
    """What the adapter in `folder` makes of the tensors of `reader`."""

    def __init__(self, reader: gguf.GGUFReader, folder: pathlib.Path):
        self.reader = reader
        self.setting = lambda name: reader.fields[f"{self.architecture}.{name}"].contents()
        self.architecture = reader.fields["general.architecture"].contents()
        self.kinds = {tensor.name: tensor.tensor_type for tensor in reader.tensors}
        self.rows, self.columns, self.shifts, self.input_shifts = {}, {}, {}, {}
        names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, self.architecture.upper()), self.setting("block_count"))
        for file in sorted(folder.glob("*.safetensors")):
            for key, vector in tensors(file).items():
                module, kind = key.removeprefix("base_model.model.").rsplit(".", 1)
                self._add(names.get_name(module), kind, vector)
        for name in [name for name in self.columns if name.endswith("ffn_down") and self._in_blocks(name)]:
            # down(act(g) * u * l) = down(act(g) * (u * l)): the columns of a block share a scale, the rows of `ffn_up` do not.
            up = name.replace("ffn_down", "ffn_up")
            self.rows[up] = self.rows.get(up, 1) * self.columns.pop(name)

    def _in_blocks(self, name: str) -> bool:
        return self.kinds[f"{name}.weight"] in SCALES

    def _add(self, name: str, kind: str, vector: numpy.ndarray) -> None:
        flat = vector.ravel()
        of_input = vector.shape[0] == 1
        if self.architecture == "llama" and name.endswith(("attn_q", "attn_k")) and not of_input:
            heads = self.setting("attention.head_count" if name.endswith("attn_q") else "attention.head_count_kv")
            flat = flat.reshape(heads, 2, -1).swapaxes(1, 2).ravel()
        into = {"ia3_l": (self.rows, self.columns), "ia3_b": (self.shifts, self.input_shifts)}[kind]
        into[of_input][name] = flat

    def expected(self, tensor: gguf.ReaderTensor) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The elements of a tensor after folding, and by how much each may differ."""
        name, part = tensor.name.rsplit(".", 1)
        data = gguf.dequantize(tensor.data, tensor.tensor_type).astype("f8")
        rows, columns = self.rows.get(name, 1), self.columns.get(name, 1)
        if part == "bias":
            if name in self.input_shifts:
                weight = next(other for other in self.reader.tensors if other.name == f"{name}.weight")
                data = data + gguf.dequantize(weight.data, weight.tensor_type) @ self.input_shifts[name]
            data = data * rows + self.shifts.get(name, 0)
            return data, OTHER_ORDER * abs(data).max(initial=1)
        if name not in self.rows and name not in self.columns:
            # Of Gemma's norms one is taken, and added again.
            return data, 2.0**-22 * abs(data) if name.endswith("norm") else numpy.zeros_like(data)
        folded = data * numpy.reshape(rows, (-1, 1)) * columns
        if tensor.tensor_type in SCALES:
            return folded, self._rounding(tensor, rows) + OTHER_ORDER * abs(folded)
        share, least = HALF_STEP[tensor.tensor_type]
        return folded, numpy.maximum((share + OTHER_ORDER) * abs(folded), least)

    def _rounding(self, tensor: gguf.ReaderTensor, rows: numpy.ndarray) -> numpy.ndarray:
        """Elements are sums of a whole number times a scale: how far they go when every scale times its row's factor is rounded to 16 bits."""
        size = gguf.GGML_QUANT_SIZES[tensor.tensor_type][1]
        blocks = tensor.data.reshape(-1, size)
        factors = numpy.repeat(rows, len(blocks) // len(rows))
        found = 0
        for at in SCALES[tensor.tensor_type]:
            one = blocks.copy()
            for other in SCALES[tensor.tensor_type]:
                one[:, other : other + 2] = numpy.frombuffer(numpy.float16(other == at).tobytes(), numpy.uint8)
            numbers = gguf.dequantize(one.reshape(tensor.data.shape), tensor.tensor_type).reshape(len(blocks), -1)
            scales = blocks[:, at : at + 2].copy().view("<f2").ravel() * factors
            share, least = HALF_STEP[Kind.F16]
            found = found + abs(numbers) * numpy.maximum(share * abs(scales), least)[:, None]
        return found.reshape(len(rows), -1)
