"""Run a grid on a cluster of two nodes on this machine, of which one is lost on the way.

Run as a program, with a folder; prints what was seen as JSON in the last line.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

# A lost node is noticed after a few seconds rather than half a minute.
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}
LINES_BEFORE = 6


def main(folder):
    """Run the grid of `fakes`, remove a node after some lines, and print what came of it."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    session = cluster.head_node.get_session_dir_path()
    try:
        lost = cluster.add_node(**node)
        cluster.wait_for_nodes()
        print(json.dumps(_run(cluster, lost, Path(folder))))
    finally:
        with suppress(Exception):
            cluster.shutdown()
        shutil.rmtree(session, ignore_errors=True)


def _run(cluster, lost, folder):
    import fakes

    from badrepair.bench.engines.ray import RayEngine
    from badrepair.bench.running import run

    lines, workers = [], []

    def note(line):
        lines.append(line)
        workers.append(engine.workers)
        if len(lines) == LINES_BEFORE:
            # By then it is in the middle of its next task.
            threading.Timer(0.4, cluster.remove_node, [lost], {"allow_graceful": False}).start()

    begun = time.monotonic()
    with RayEngine(cluster.address, start=fakes.begin) as engine:
        started = engine.submit(fakes.begun).result()
        threads = engine.submit(os.getenv, "TF_NUM_INTRAOP_THREADS").result()
        processes = [engine.submit(os.getpid, own_process=own).result() for own in (0, 1, 1)]
        raised = [_raised(engine.submit(fakes.complain)),
                  _raised(engine.submit(time.sleep, 600, minutes=0.05))]  # fmt: skip
        grid = fakes.ray_grid()
        progress = run(grid, folder, engine, fakes.make_net, fakes.measure, on_line=note)
    return {
        "told": [line["key"] for line in lines],
        "workers": [workers[0], workers[-1]],
        "tally": vars(progress),
        "started": started,
        "threads": threads,
        "processes": len(set(processes)),
        "raised": raised,
        "seconds": time.monotonic() - begun,
    }


def _raised(future):
    return str(future.exception(timeout=30))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(sys.argv[1])
