"""Loads a server with live sessions and tells how long written words take.

    python scripts/load.py 10,20,40,80                 a server of its own, stepwise
    python scripts/load.py 10,20,40 --processes        a process of `streamtrans live` for each session instead
    python scripts/load.py 40 --url ws://host:8484     a server that runs already
    python scripts/load.py 1 --hostile 200             beside clients that do all they should not, without end

Each session sends words at a steady pace. A written word took the time from the sending of the source word that it
waited for to its arrival. A line of JSON for each number of sessions; `kept` says whether 95 % came within a second.
Needs the packages of `.[serve]`.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice
from pathlib import Path

WORDS_PER_SECOND = 3.0
TEXT = Path(__file__).parents[1] / "tests" / "assets" / "everyday.tsv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sessions", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--seconds", type=float, default=30, help="that each session speaks")
    parser.add_argument("--url", help="of a running server")
    parser.add_argument("--processes", action="store_true", help="a process for each session, no server")
    parser.add_argument("--hostile", type=int, default=0, help="clients that do all they should not")
    parser.add_argument("--policy", help="instead of the model's own")
    options = parser.parse_args()
    if options.sessions == [0]:
        asyncio.run(attack(options.url, options.hostile))
    for sessions in options.sessions:
        print(json.dumps(asyncio.run(measure(sessions, options))), flush=True)


async def measure(sessions: int, options: argparse.Namespace) -> dict:
    """Runs so many sessions at once; gives what came of it."""
    if options.processes:
        opened = [piped(options.policy) for _ in range(sessions)]
        return summary(sessions, options.seconds, await run(opened, options.seconds))
    async with server(options.url) as url:
        opened = [connected(url, options.policy) for _ in range(sessions)]
        async with enemies(url, options.hostile):
            return summary(sessions, options.seconds, await run(opened, options.seconds))


@asynccontextmanager
async def enemies(url: str, clients: int):
    """Hostile clients in a process of their own, so that what they cost here delays nobody who is measured."""
    if not clients:
        yield
        return
    command = [sys.executable, __file__, "0", "--hostile", str(clients), "--url", url]
    process = await asyncio.create_subprocess_exec(*command)
    await asyncio.sleep(3)  # until they are there
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def attack(url: str, clients: int) -> None:
    """Has clients do what they should not, one kind after the other, again and again until it is cancelled."""
    kinds = [never_reads, talks_nonsense, vanishes, says_nothing]
    await asyncio.gather(*(again(kinds[number % len(kinds)], url) for number in range(clients)))


async def again(kind, url: str) -> None:
    import websockets

    while True:
        with suppress(websockets.WebSocketException, OSError, TimeoutError):
            async with websockets.connect(f"{url}/v1/stream", max_queue=1, open_timeout=60) as socket:
                await kind(socket)
        await asyncio.sleep(2)


async def never_reads(socket) -> None:
    """Sends text without end and leaves all answers where they are."""
    await socket.send(json.dumps({"type": "open"}))
    while True:
        await socket.send(json.dumps({"type": "feed", "text": "and then they said that it would not end " * 20}))


async def talks_nonsense(socket) -> None:
    """Sends no JSON, wrong JSON, and far too much of it."""
    for message in ("{", "[]", json.dumps({"type": "feed", "text": "x"}), "x" * 100_000, "x" * 1_000_000) * 5:
        await socket.send(message)
        await asyncio.sleep(0.02)


async def vanishes(socket) -> None:
    """Goes in mid-word."""
    await socket.send(json.dumps({"type": "open"}))
    await socket.send(json.dumps({"type": "feed", "text": "they said that it wou"}))
    socket.transport.abort()


async def says_nothing(socket) -> None:
    """Waits."""
    await asyncio.sleep(3600)


async def run(opened: list, seconds: float) -> list[float]:
    """All sessions speak once all are open; gives the seconds that each written word took."""
    ready = asyncio.Barrier(len(opened))
    found = await asyncio.gather(*(speak(number, session, ready, seconds) for number, session in enumerate(opened)))
    return [took for session in found for took in session]


async def speak(number: int, opening, ready: asyncio.Barrier, seconds: float) -> list[float]:
    """Sends words at a steady pace from a moment of its own on; gives the seconds that each written word took."""
    async with opening as (send, events):
        async with asyncio.timeout(120):
            await ready.wait()
        sent: list[float] = []
        took: list[float] = []
        reader = asyncio.create_task(listen(events, sent, took))
        await asyncio.sleep(random.Random(number).random() / WORDS_PER_SECOND)
        begun = time.monotonic()
        for count, word in enumerate(islice(words(number), int(seconds * WORDS_PER_SECOND))):
            await asyncio.sleep(max(0.0, begun + count / WORDS_PER_SECOND - time.monotonic()))
            sent.append(time.monotonic())
            await send(f"{word} ")
        await send(None)
        await asyncio.wait_for(reader, 120)
    return took


async def listen(events: AsyncIterator[dict], sent: list[float], took: list[float]) -> None:
    """Notes for each written word how long ago the source word was sent that had been read last."""
    read = 0
    async for event in events:
        if event["type"] == "read":
            read += 1
        elif event["type"] == "write":
            took.append(time.monotonic() - sent[read - 1])
        elif event["type"] == "done":
            return


def words(number: int):
    lines = [line.split("\t")[0] for line in TEXT.read_text(encoding="utf-8").splitlines() if line.strip()]
    return cycle(word for line in lines[number % len(lines) :] + lines[: number % len(lines)] for word in line.split())


@asynccontextmanager
async def connected(url: str, policy: str | None):
    """A session of a server: a function that sends text (None finishes), and the events."""
    import websockets

    async with websockets.connect(f"{url}/v1/stream", max_queue=None, open_timeout=60, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "open"} | ({"policy": policy} if policy else {})))
        answer = json.loads(await socket.recv())
        if answer["type"] != "opened":
            raise SystemExit(answer["message"])

        async def send(text: str | None) -> None:
            await socket.send(json.dumps({"type": "feed", "text": text} if text else {"type": "finish"}))

        async def events() -> AsyncIterator[dict]:
            async for message in socket:
                yield json.loads(message)

        yield send, events()


@asynccontextmanager
async def piped(policy: str | None):
    """A process of `streamtrans live`; as `connected`."""
    command = [sys.executable, "-m", "streamtrans", "live", "--json"] + (["--policy", policy] if policy else [])
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"Hello there.\n")  # whose translation says that it is ready
    async for line in process.stdout:
        if json.loads(line)["type"] == "end":
            break

    async def send(text: str | None) -> None:
        if text:
            process.stdin.write(text.encode())
            await process.stdin.drain()
        else:
            process.stdin.close()

    async def events() -> AsyncIterator[dict]:
        async for line in process.stdout:
            yield json.loads(line)

    try:
        yield send, events()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def server(url: str | None):
    """The address of a server: the one that runs, or one of its own."""
    if url:
        yield url
        return
    command = [sys.executable, "-m", "streamtrans", "serve", "--port", "0", "--sessions", "1000"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr
    said = (await process.stderr.readline()).decode()
    address = re.search(r"http(://[^/ ]+)", said)
    if not address:
        raise SystemExit(said)
    try:
        yield f"ws{address[1]}"
    finally:
        process.terminate()
        await process.wait()


def summary(sessions: int, seconds: float, took: list[float]) -> dict:
    took = sorted(took)
    share = {name: took[min(len(took) - 1, int(part * len(took)))] for name, part in (("median", 0.5), ("95 %", 0.95))}
    return {
        "sessions": sessions,
        "words": len(took),
        **{name: round(value, 3) for name, value in share.items()},
        "worst": round(took[-1], 3),
        "kept": share["95 %"] <= 1.0,
    }


if __name__ == "__main__":
    main()
