"""What compiled code costs a fresh process once it lies in numba's cache: a first render less a later one."""

import statistics
import subprocess
import sys

# Each render packs a volume anew, so that this is not counted. numba is imported by the first.
PROCESS = """
import time, torch
from xrayreg.geometry import CArm
from xrayreg.images import Grid
from xrayreg.render import Density, render_with_pose_jacobian
camera = CArm(1000.0, 700.0, 10, 5).camera((200, 200), (2.0, 2.0))
grid = Grid((200, 200, 200), [[1, 0, 0, -100], [0, 1, 0, -100], [0, 0, 1, -100], [0, 0, 0, 1]])
seconds = []
for _ in range(3):
    density = Density(torch.rand(200, 200, 200), grid)
    start = time.perf_counter()
    render_with_pose_jacobian(density, camera)
    seconds.append(time.perf_counter() - start)
print(seconds[0] - seconds[2])
"""


def extra_seconds() -> float:
    done = subprocess.run([sys.executable, "-c", PROCESS], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    extra_seconds()  # fills the cache
    extra = statistics.median(extra_seconds() for _ in range(5))
    print(f"first render of a fresh process: {extra:.1f} s more than a later one (bound: 1 s)")


if __name__ == "__main__":
    main()
