"""Checks that ggml's own Python package reads the GGUFs written by ia3-web: check_gguf.py FILE...

Beside each file lies FILE.bin, all elements as ia3-web dequantises them, F32; in tests/fixtures/gguf/ a file of the same name that it was written
from. Settings must be those of that file, and elements those of FILE.bin. Prints one line per file; the exit code is 0 if all passed.
"""

import pathlib
import sys

import gguf
import numpy

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "gguf"


def settings(reader: gguf.GGUFReader) -> dict:
    return {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}


def faults(path: pathlib.Path) -> list[str]:
    reader, original = gguf.GGUFReader(path), gguf.GGUFReader(FIXTURES / path.name)
    found = []
    if reader.fields["GGUF.version"].contents() != 3:
        found.append("its version is not 3")
    if settings(reader) != settings(original):
        found.append("its settings are not those of the original")
    if [tensor.name for tensor in reader.tensors] != [tensor.name for tensor in original.tensors]:
        found.append("its tensors are not those of the original")
    elements = numpy.fromfile(path.with_suffix(".bin"), "<f4")
    start = 0
    for tensor in reader.tensors:
        data = gguf.dequantize(tensor.data, tensor.tensor_type).astype("<f4").ravel()
        expected = elements[start : start + data.size]
        start += data.size
        # The same products in another order.
        if not numpy.allclose(data, expected, rtol=1e-6, atol=1e-8):
            found.append(f"{tensor.name} differs by {abs(data - expected).max()}")
    if start != elements.size:
        found.append(f"it has {start} elements, not {elements.size}")
    return found


def main(paths: list[str]) -> int:
    failed = 0
    for path in map(pathlib.Path, paths):
        found = faults(path)
        failed += bool(found)
        print(f"{'FAILED' if found else 'ok'} {path.name}", *found, sep="\n  " if found else " ")
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
