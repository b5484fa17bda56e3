"""What each of two processes does that torchrun starts; its answers as JSON in the folder it is given."""

import json
import sys
from pathlib import Path

import torch
from tiny_task import TinyTask, settings
from xrayreg.errors import InputError
from xrayreg.learn import crew_of_environment, train


def first_gradient(crew) -> list[float]:
    """Of batch 0, each process with its half of it."""
    task = TinyTask(dropout=0.0)
    if not crew.leads:  # the first one's weights count
        torch.nn.init.zeros_(task.module[0].weight)
    network = crew.joined(task.module)
    loss, _ = task.loss(network, 0, crew.rank, crew.world)
    loss.backward()
    return torch.cat([each.grad.flatten() for each in task.module.parameters()]).tolist()


def flat(weights) -> list[float]:
    return torch.cat([tensor.flatten() for tensor in weights.values()]).tolist()


def failing(crew) -> str:
    """What is said in a process whose own loss is fine, and in the other."""
    spoiled = 3 if crew.rank == 1 else -1
    try:
        train(TinyTask(spoiled=spoiled), settings(8), crew=crew)
    except InputError as error:
        return str(error)
    return ""


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with crew_of_environment(torch.device("cpu")) as crew:
        path, asked, seen = folder / "net.checkpoint", [], []
        stop = (lambda: asked.append(1) or len(asked) >= 4) if crew.rank == 1 else None
        answer = {"crew": [crew.rank, crew.world], "gradient": first_gradient(crew), "failing": failing(crew)}
        stopped = train(TinyTask(dropout=0.0), settings(12), path, seen.append, stop, crew=crew)
        answer |= {"stopped": [stopped.place.step, stopped.stopped], "reports": len(seen)}
        resumed = train(TinyTask(dropout=0.0), settings(12), path, resume=True, crew=crew)
        answer |= {"steps": resumed.place.step, "weights": flat(resumed.weights)}
    (folder / f"{crew.rank}.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
