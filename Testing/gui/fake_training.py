"""In the place of `xrayreg train`: tells what it tells, obeys as it obeys, learns nothing.

It is run as `PythonSlicer -m xrayreg train ...`. After step 10 of 20 it does what its environment says in
FAKE_TRAINING: "go on", "wait" until it is to stop, or break in one of several ways.
"""

import json
import os
import sys
import time
from pathlib import Path

STEPS, HALF = 20, 10


def main() -> int:
    given = sys.argv[sys.argv.index("train") :]
    out = Path(given[given.index("--out") + 1])
    checkpoint, stop = out.with_suffix(".checkpoint"), out.with_suffix(".stop")
    done = json.loads(checkpoint.read_text()) if "--resume" in given else 0
    for step in range(done + 1, STEPS + 1):
        left_s = (STEPS - step) * 30.0
        tell(
            "step",
            step=step,
            steps=STEPS,
            loss=1 / step,
            rotation_deg=40 / step,
            seconds=step * 30.0,
            left_s=left_s,
        )
        if step == HALF:
            act(checkpoint, stop)
        if stop.exists():
            checkpoint.write_text(json.dumps(step))
            tell("stopped", reason="stopped by N.stop", checkpoint=str(checkpoint))
            return 130
    tell("card", done=1, of=40)
    checkpoint.unlink(missing_ok=True)
    out.write_text(json.dumps(given))
    start = {"rotation_deg": {"median": 2.3}, "mtre_mm": {"median": 6.1}}
    card = {"summary": {"success": {"count": 38, "of": 40}, "start": start}, "notices": []}
    out.with_suffix(".card.json").write_text(json.dumps({**card, "nice": os.nice(0)}))
    out.with_suffix(".card.html").write_text("<html></html>")
    tell("done", network=str(out), card=str(out.with_suffix(".card.json")))
    return 0


def act(checkpoint: Path, stop: Path) -> None:
    """What the test wants to happen half way."""
    wanted = os.environ["FAKE_TRAINING"]
    if wanted == "wait":
        while not stop.exists():
            time.sleep(0.01)
    elif wanted == "raise":
        raise MemoryError("no room for 7 GB")
    elif wanted == "refuse":
        print("camera.json: the beam misses the volume - check the pose", file=sys.stderr)
        sys.exit(2)
    elif wanted == "vanish":
        os._exit(9)
    elif wanted == "diverge":
        checkpoint.write_text("10")
        tell("stopped", reason="the loss is not finite at step 10", checkpoint=str(checkpoint))
        sys.exit(1)


def tell(event: str, **values) -> None:
    print(json.dumps({"event": event, **values}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
