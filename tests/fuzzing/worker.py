"""Open the files that a fuzzer names on stdin, and answer in a line of JSON what came of each."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path


def main(folder):
    # Libraries print where they like; the answers go to what was stdout.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    import sound_files

    if (folder / "sound").exists():
        readers = sound_files.READERS
    else:
        readers = sound_files.write_all(folder / "sound")
        for name, reader in readers.items():
            reader(folder / "sound" / name)
    print(json.dumps({"kinds": list(readers)}), file=answers, flush=True)
    for line in sys.stdin:
        kind, path = json.loads(line)
        print(json.dumps(outcome(readers[kind], Path(path))), file=answers, flush=True)


def outcome(reader, path):
    from badrepair.errors import BadrepairError

    try:
        reader(path)
    except BadrepairError as error:
        return {"code": error.code} if error.exit_code in {65, 66} else {"failed": str(error)}
    except Exception as error:  # what the fuzzer looks for
        return {"failed": f"{type(error).__name__}: {error}"[:500]}
    return {"code": None}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
