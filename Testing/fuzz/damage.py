"""Random damage to a file: bytes of any kind, and fields of the kinds that are known."""

import gzip
import io
import json
import random
import re
import struct
import warnings
import zlib

import pydicom
from pydicom.dataelem import RawDataElement

_NUMBERS = (
    *("0", "-1", "1", "2", "3", "NaN", "inf", "-inf", "1e309", "1e-320", "0.5", "65535", "65536", "100000"),
    *("2147483647", "-2147483648", "4294967296", "9223372036854775807", "1" * 30, "1e9", "1,2", "0x10", ""),
)
_WORDS = (
    *_NUMBERS,
    "x",
    "\0",
    "ä",
    "\ud800",
    "none",
    "a" * 5000,
    "\\",
    "\\\\\\",
    "%s%n",
    "\x1b[31m",
    "[",
    "{}",
)
_JSON = (
    *(None, True, False, 0, -1, 1e9, 1e308, 10**400, float("nan"), float("inf"), "", "x", "0", "\ud800", []),
    *({}, [[]], [None], [1, 2], [[1, 2], [3]], "../../etc", "\0", {"a": {}}),
)
_WHOLE = (0, 1, -1, 2, 127, 128, 255, 256, 32767, -32768, 65535, 0x7FFFFFFF, -0x80000000, 0xFFFFFFFF)
_NIFTI_FIELDS = (
    *((offset, "<h") for offset in (*range(40, 56, 2), 70, 72, 252, 254)),
    *((offset, "<f") for offset in (*range(76, 124, 4), *range(256, 328, 4))),
    (0, "<i"),
    (344, "<i"),
)
_NIFTI_FLOATS = (0.0, -1.0, 1.0, float("nan"), float("inf"), 1e30, -1e30, 1e-30, 352.0, 1e9)
_HEADER_BYTES = 1024
_TOKEN = re.compile(r"[^\s,:=()\[\]\"]+")


def damaged(content: bytes, name: str, rng: random.Random) -> tuple[bytes, list[str]]:
    """The content of a file after one to three kinds of damage, and what was done."""
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content, what = _once(content, name, rng)
        done.append(what)
    return content, done


def _once(content: bytes, name: str, rng: random.Random) -> tuple[bytes, str]:
    if not content:
        return bytes(
            rng.randrange(256) for _ in range(rng.randrange(1, 200))
        ), "random bytes in an empty file"
    if rng.random() < 0.6:
        for endings, damage in _BY_ENDING:
            if name.endswith(endings):
                try:
                    return damage(content, rng)
                except Exception:  # no longer a file of its kind, after damage before
                    break
    return _bytes(content, rng)


def _bytes(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damage anywhere; more often to the header."""
    body = bytearray(content)
    end = len(body) if rng.random() < 0.4 else min(len(body), _HEADER_BYTES)
    start = rng.randrange(end)
    length = rng.randrange(1, 1 + min(len(body) - start, rng.choice((1, 4, 16, 200, len(body)))))
    kind = rng.choice(("bits", "set", "number", "cut", "insert", "delete", "double", "swap"))
    if kind == "bits":
        for _ in range(rng.choice((1, 2, 8, 32))):
            body[rng.randrange(end)] ^= 1 << rng.randrange(8)
    elif kind == "set":
        body[start : start + length] = bytes([rng.choice((0, 0xFF, 0x20, 0x41))]) * length
    elif kind == "number":
        code = rng.choice(["<h", ">h", "<i", ">i"])
        value = rng.choice(_WHOLE)
        size = struct.calcsize(code)
        body[start : start + size] = (value & (2 ** (8 * size) - 1)).to_bytes(size, "little")
    elif kind == "cut":
        del body[start:]
    elif kind == "insert":
        body[start:start] = rng.randbytes(min(length, 4096))
    elif kind == "delete":
        del body[start : start + length]
    elif kind == "double":
        body[start:start] = body[start : start + length]
    else:
        other = rng.randrange(len(body))
        chunk = body[start : start + length]
        body[start : start + length] = body[other : other + length]
        body[other : other + length] = chunk
    return bytes(body), f"{kind} at {start}, {length} bytes"


def _text(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A word or a line of a text, or of the text in front of a binary part."""
    head, blank, rest = content.partition(b"\n\n")
    if b"ElementDataFile" in content:
        at = content.index(b"\n", content.index(b"ElementDataFile")) + 1
        head, blank, rest = content[:at], b"", content[at:]
    elif not content.startswith(b"NRRD"):
        head, blank, rest = content, b"", b""
    text = head.decode("utf-8", errors="surrogateescape")
    if rng.random() < 0.25:
        lines = text.splitlines()
        at = rng.randrange(len(lines))
        what = rng.choice(("delete", "double", "swap"))
        if what == "delete":
            del lines[at]
        elif what == "double":
            lines.insert(at, lines[at])
        else:
            lines.append(lines.pop(at))
        text = "\n".join(lines) + ("\n" if head.endswith(b"\n") else "")
        shown = f"{what} line {at}"
    else:
        token = rng.choice(list(_TOKEN.finditer(text)))
        word = rng.choice(_WORDS)
        text = text[: token.start()] + word + text[token.end() :]
        shown = f"{token.group()[:40]!r} to {word[:40]!r}"
    return text.encode("utf-8", errors="surrogatepass") + blank + rest, shown


def _json(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    fields = json.loads(content)
    places = list(_places(fields))
    holder, key = rng.choice(places)
    if rng.random() < 0.15:
        shown = f"without {key}"
        del holder[key]
    elif rng.random() < 0.05:
        shown = f"{key} nested deeply"
        deep = rng.choice((200, 5000, 200_000))
        holder[key] = "DEEP"
        return json.dumps(fields).replace('"DEEP"', "[" * deep + "]" * deep).encode(), shown
    else:
        value = rng.choice(_JSON)
        shown = f"{key} = {str(value)[:40]!r}"
        holder[key] = value
    return json.dumps(fields).encode(), shown


def _places(node):
    """(holder, key) of everything in a JSON value."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(entries):
        yield node, key
        yield from _places(value)


def _dicom(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Another value, another kind of value, or none, of an attribute at any depth."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    holders = [dataset, dataset.file_meta]
    holders += [item for element in dataset if element.VR == "SQ" for item in element.value]
    holder = holders[0] if rng.random() < 0.7 else rng.choice(holders)
    tag = rng.choice(list(holder.keys()))
    old = holder[tag]
    if rng.random() < 0.15:
        del holder[tag]
        shown = f"without {old.name}"
    else:
        vr = old.VR if rng.random() < 0.8 else rng.choice(("DS", "IS", "LO", "US", "FD", "UN", "SQ", "OB"))
        value = _dicom_value(vr, rng)
        shown = f"{old.name} = {vr} {str(value)[:40]!r}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(value, bytes):  # as it stands in the file: pydicom would make no such number
                holder[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
            else:
                holder[tag] = pydicom.DataElement(tag, vr, value, validation_mode=pydicom.config.IGNORE)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(stream)
    return stream.getvalue(), shown


def _dicom_value(vr: str, rng: random.Random):
    if vr == "SQ":
        return [pydicom.Dataset() for _ in range(rng.randrange(3))]
    if vr in ("US", "SS", "UL", "SL"):
        low, high = {
            "US": (0, 65535),
            "SS": (-32768, 32767),
            "UL": (0, 2**32 - 1),
            "SL": (-(2**31), 2**31 - 1),
        }[vr]
        several = [rng.choice((low, 0, 1, 2, 3, 7, 8, 15, 16, 17, 255, 4096, high)) for _ in range(3)]
        return rng.choice((several[0], several[0], several, None))
    if vr in ("FD", "FL"):
        values = (0.0, -1.0, float("nan"), float("inf"), 1e30, 90.0, 1e-30)
        return rng.choice((rng.choice(values), [rng.choice(values)] * 3, None))
    if vr in ("OB", "OW", "UN"):
        return rng.randbytes(rng.choice((0, 2, 100)))
    words = [word for word in _WORDS if word.isascii()] + ["LIN", "LOG", "CT", "XA", "1.2.840.10008.1.2.4.70"]
    several = "\\".join(rng.choice(words) for _ in range(rng.choice((2, 3, 6))))
    word = rng.choice((rng.choice(words), rng.choice(words), several))
    return word.encode() if vr in ("DS", "IS") else word


def _nifti(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    body = bytearray(content)
    offset, code = rng.choice(_NIFTI_FIELDS)
    value = (
        rng.choice(_NIFTI_FLOATS) if code == "<f" else rng.choice([n for n in _WHOLE if -32769 < n < 32768])
    )
    struct.pack_into(code, body, offset, value)
    return bytes(body), f"NIfTI field at {offset} = {value}"


def _gzipped(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    inner, shown = (_nifti if rng.random() < 0.7 else _bytes)(gzip.decompress(content), rng)
    return gzip.compress(inner), f"unzipped: {shown}"


def _png(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A byte of a chunk, with a checksum that fits, so that more than the checksum is looked at."""
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append((content[at + 4 : at + 8], bytearray(content[at + 8 : at + 8 + length])))
        at += 12 + length
    kind, body = rng.choice([chunk for chunk in chunks if chunk[1]])
    place = rng.randrange(len(body))
    body[place] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 127, 128, 255))
    packed = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return content[:8] + packed, f"PNG chunk {kind.decode()} byte {place}"


_BY_ENDING = (
    ((".json",), lambda content, rng: (_json if rng.random() < 0.8 else _text)(content, rng)),
    ((".txt", ".csv", ".nrrd", ".nhdr", ".mha", ".mhd", ".yml", ".yaml", ".xml"), _text),
    ((".dcm",), _dicom),
    ((".nii.gz",), _gzipped),
    ((".nii",), _nifti),
    ((".png",), _png),
)
