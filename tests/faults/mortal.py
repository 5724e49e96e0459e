"""Kill a run of badrepair again and again at random moments, and let the next one go on.

Run as a program: TensorFlow is imported once, and each run is a fork that starts its runtime
itself. Prints as JSON how often a run was killed, and how it ended at last.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path


def main(kills, longest, folder, *arguments):
    """Kill runs of a command until it has been killed so often; the last one may end.

    Args:
        kills: How many.
        longest: Most seconds before a kill.
        folder: For the outputs: one run after the other until it ends, then the next output.
        *arguments: The command but for the output.
    """
    _import()
    moments = random.Random(0)
    killed, outputs, odd = 0, [], []
    while killed < int(kills):
        output = Path(folder, f"{len(outputs)}.keras")
        outputs.append(str(output))
        while not output.exists():
            left = killed < int(kills)
            status = _run(output, arguments, moments.uniform(0, float(longest)) if left else None)
            killed += status == -signal.SIGKILL
            if status not in {0, -signal.SIGKILL}:
                odd.append(status)
                break
    print(json.dumps({"killed": killed, "outputs": outputs, "odd": odd}))


def _import():
    """Import all that a run needs, without starting the runtime."""
    os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=os.devnull, TF_CPP_MIN_LOG_LEVEL="3")
    import badrepair.cli.pruning  # noqa: F401 - that is all
    from badrepair.models.checkpoint import Checkpoint

    Checkpoint.__init__.__kwdefaults__["seconds"] = 0.1


def _run(output, arguments, seconds):
    """Run a command in a process of its own, and kill it after some seconds, if any."""
    process = os.fork()
    if not process:
        from badrepair.cli import main as command

        sys.argv = ["badrepair", *arguments, "--resume", "--quiet", "-o", str(output)]
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the end
        try:
            command()
        except SystemExit as end:
            os._exit(end.code)
        os._exit(70)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
