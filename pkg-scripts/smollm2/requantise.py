"""Writes a GGUF with its matrices in another format, settings and all else as they are: requantise.py GGUF FORMAT OUT

What is quantised is what the blocks of the original stand for.
"""

import sys

import gguf

Kind = gguf.GGMLQuantizationType


def copy_settings(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)


def main(source: str, wanted: str, out: str) -> None:
    reader, kind = gguf.GGUFReader(source), Kind[wanted]
    writer = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
    copy_settings(reader, writer)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{wanted}"])
    for tensor in reader.tensors:
        data = gguf.dequantize(tensor.data, tensor.tensor_type)
        if data.ndim == 2:
            writer.add_tensor(tensor.name, gguf.quantize(data, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(*sys.argv[1:])
