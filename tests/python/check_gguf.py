"""Checks with ggml's own Python package the GGUFs that ia3-web wrote with an adapter folded in: check_gguf.py FOLDER

In FOLDER lie, by the name of the file in tests/fixtures/gguf/ that it was made of: NAME.gguf; NAME.bin, all its elements as ia3-web dequantises
them, F32; NAME/, the adapter as PEFT saves it. Settings, names and formats must be those of the original, elements those of NAME.bin, and those of
the original times the vectors up to the rounding of 16-bit scales. Prints one line a file and the counts; the exit code is 0 if all passed.
"""

import pathlib
import sys

import gguf
import numpy
from gguf import GGMLQuantizationType as Kind

from folded import SCALES, Folded

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "gguf"
FORMATS = {Kind.F32, Kind.F16, Kind.BF16, *SCALES}


def settings(reader: gguf.GGUFReader) -> dict:
    return {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}


def layout(reader: gguf.GGUFReader) -> list:
    return [(tensor.name, tensor.tensor_type, tensor.shape.tolist()) for tensor in reader.tensors]


def faults(path: pathlib.Path) -> list[str]:
    reader, original = gguf.GGUFReader(path), gguf.GGUFReader(FIXTURES / path.name)
    found = []
    if reader.fields["GGUF.version"].contents() != 3:
        found.append("its version is not 3")
    if settings(reader) != settings(original):
        found.append("its settings are not those of the original")
    if layout(reader) != layout(original):
        return [*found, "its tensors are not those of the original"]
    read, start = numpy.fromfile(path.with_suffix(".bin"), "<f4"), 0
    folded, moved = Folded(original, path.with_suffix("")), 0
    for tensor, before in zip(reader.tensors, original.tensors):
        data = gguf.dequantize(tensor.data, tensor.tensor_type)
        ours = read[start : start + data.size].reshape(data.shape)
        start += data.size
        # The same products in another order.
        if not numpy.allclose(data, ours, rtol=1e-6, atol=1e-8):
            found.append(f"{tensor.name} is read as other numbers: {abs(data - ours).max()} off")
        expected, allowed = folded.expected(before)
        if not (abs(data - expected) <= allowed).all():
            found.append(f"{tensor.name} is not the original's times the vectors: {(abs(data - expected) - allowed).max()} more than allowed")
        moved += not numpy.array_equal(data, gguf.dequantize(before.data, before.tensor_type))
    if start != read.size:
        found.append(f"it has {start} elements, not {read.size}")
    if moved < len(folded.rows):
        found.append(f"{moved} tensors were changed, and {len(folded.rows)} have vectors")
    return found


def main(folder: str) -> int:
    failed, seen = 0, set()
    paths = sorted(pathlib.Path(folder).glob("*.gguf"))
    for path in paths:
        found = faults(path)
        failed += bool(found)
        seen |= {tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}
        print(f"{'FAILED' if found else 'ok'} {path.name}", *found, sep="\n  " if found else " ")
    missing = sorted(kind.name for kind in FORMATS - seen)
    if missing:
        failed += 1
        print(f"FAILED: no file has tensors in {', '.join(missing)}")
    print(f"{len(paths) + bool(missing) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
