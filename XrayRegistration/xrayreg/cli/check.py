"""`xrayreg check`: what files are, whether they fit together, and what is missing."""

import argparse
import json
from pathlib import Path

from ..audit import as_json, audit, report_lines
from ..errors import InputError
from ..results import whole_file
from .files import say
from .options import voxel_mm


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="what files are, whether they fit together, and what is missing",
        description="Audit volumes, segmentations, X-rays, camera files, plans and results: frames, units, "
        "orientation, and whether they fit together. Folders are walked. Exit code 0: all can be read and "
        "fits, though something may be missing; 2: something is unreadable or contradictory.",
    )
    parser.add_argument("paths", metavar="PATH", type=Path, nargs="+", help="files and folders, any mix")
    parser.add_argument("--voxel-mm", help="voxel size x,y,z of TIFF stacks, mm")
    parser.add_argument("--names", type=Path, help="CSV with the columns structure,id: names of the labels")
    parser.add_argument(
        "--json", type=Path, help="write the same as JSON; - for standard output, in place of the report"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    found = audit(options.paths, voxel_mm(options), options.names, say)
    text = json.dumps(as_json(found), indent=1, ensure_ascii=False)
    if str(options.json) == "-":
        print(text)
    else:
        print("\n".join(report_lines(found)))
    if options.json is not None and str(options.json) != "-":
        with whole_file(options.json) as staged:
            staged.write_text(text + "\n", encoding="utf-8")
    problems = [(about, each) for about, each in found.each() if each.level == "problem"]
    if problems:
        about, first = problems[0]
        count = f" ({len(problems)} problems in all)" if len(problems) > 1 else ""
        raise InputError(first.text + count, where=about, remedy=first.remedy)
    return 0
