"""Makes what the fuzzers begin with: the messages of tests/transcripts/, and ZIPs that are sound and that are not."""

import io
import json
import pathlib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent
TRANSCRIPTS = ROOT.parent / "tests" / "transcripts"
# Small caps, payloads behind messages, pieces of two bytes: see `fuzz_targets/wire.rs`.
CHOICE = bytes([2 | 4 | 1 << 3])


def put(target, name, data):
    folder = ROOT / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def messages():
    for transcript in sorted(TRANSCRIPTS.glob("*.jsonl")):
        for number, line in enumerate(transcript.read_text().splitlines()):
            # What is no UTF-8 does not stand in a transcript.
            yield f"{transcript.stem}-{number}", json.loads(line)["bytes"].encode()


def archive(method, *files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as opened:
        for name, content in files:
            opened.writestr(zipfile.ZipInfo(name), content, method)
    return made.getvalue()


def main():
    for name, message in messages():
        put("wire", name, CHOICE + message)
        put("datagram", name, message)
    task = ("main.py", b"print(1)\n")
    for name, method in [("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)]:
        put("archive", name, archive(method, task, ("input.csv", b"1,2\n")))
        put("archive", f"{name}-result", archive(method, ("stdout.txt", b"1\n"), ("stderr.txt", b"")))
        put("archive", f"{name}-toml", archive(method, task, ("task.toml", b"retries = 1\nenv.A = 'b'\n")))
        put("archive", f"{name}-folder", archive(method, ("a/", b""), ("a/main.py", b""), ("a/b/c", b"d")))
        put("archive", f"{name}-slip", archive(method, task, ("../above", b"x"), ("/etc/x", b"x"), ("a\\b", b"x")))
        put("archive", f"{name}-bomb", archive(method, task, ("zeros", bytes(1 << 16))))


if __name__ == "__main__":
    main()
