"""Draws the documentation's pictures: pictures.py SIMULATION.json FOLDER

The stories come from the simulation (the test `pictures` of the crate), the badges from the files that decide what they say. The
same input gives the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
MINUTE = 60_000
WIDTH = 960
LEFT = 118  # Where the time lines begin; their names stand before it.
RIGHT = WIDTH - 24

STYLE = """
.pv{--paper:#ffffff;--edge:#d5dae3;--ink:#1d2433;--soft:#5b6577;--grid:#e8ebf1;--good:#2f7d5b;--pale:#d3eade;--wait:#3f63c9;--bad:#bf3a4b;--fog:#f6dfe2;--warn:#a86a00}
@media (prefers-color-scheme:dark){.pv{--paper:#171b24;--edge:#363d4d;--ink:#e7eaf1;--soft:#a2abbd;--grid:#262c39;--good:#58b98d;--pale:#21463a;--wait:#8ea9ff;--bad:#ff7f8e;--fog:#3d232b;--warn:#e5ad4c}}
.pv text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}
.pv .h{font-size:16px;font-weight:600}.pv .s{fill:var(--soft);font-size:12px}.pv .b{font-weight:600}.pv .on{fill:var(--paper);font-weight:600;font-size:12px}
.pv .m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
""".replace("\n", "")


class Picture:
    def __init__(self, title: str, told: str, height: int) -> None:
        self.height = height
        self.parts = [
            f'<svg class="pv" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(told)}">',
            f"<style>{STYLE}</style>",
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="var(--paper)" stroke="var(--edge)"/>',
        ]
        self.text(20, 30, title, "h")

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        shown = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{shown} text-anchor="{anchor}">{escape(text)}</text>')

    def box(self, x: float, y: float, to: float, height: float, fill: str, more: str = "") -> None:
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{to - x:.1f}" height="{height:.1f}" fill="var(--{fill})" {more}/>')

    def line(self, x: float, y: float, x2: float, y2: float, color: str, more: str = "") -> None:
        self.parts.append(f'<path d="M{x:.1f} {y:.1f}L{x2:.1f} {y2:.1f}" stroke="var(--{color})" fill="none" {more}/>')

    def ticks(self, places: list[float], y: float, height: float, color: str) -> None:
        path = "".join(f"M{x:.1f} {y:.1f}v{height:g}" for x in places)
        self.parts.append(f'<path d="{path}" stroke="var(--{color})" stroke-width="1.5"/>')

    def dot(self, x: float, y: float, color: str, hollow: bool = False) -> None:
        fill = "var(--paper)" if hollow else f"var(--{color})"
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{fill}" stroke="var(--{color})" stroke-width="2"/>')

    def cross(self, x: float, y: float, color: str) -> None:
        self.parts.append(f'<path d="M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10" stroke="var(--{color})" stroke-width="2.5" fill="none"/>')

    def done(self) -> str:
        return "\n".join([*self.parts, "</svg>", ""])


class Clock:
    """Where a moment stands on the time line."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end

    def __call__(self, at: int) -> float:
        inside = min(max(at, self.start), self.end)
        return LEFT + (inside - self.start) / (self.end - self.start) * (RIGHT - LEFT)

    def axis(self, picture: Picture, top: float, bottom: float, step: int) -> None:
        for at in range(self.start, self.end + 1, step):
            picture.line(self(at), top, self(at), bottom, "grid")
            picture.text(self(at), bottom + 17, hours(at), "s", "middle")


def hours(at: int) -> str:
    return f"{at // MINUTE // 60}:{at // MINUTE % 60:02}"


def number(n: int) -> str:
    return f"{n:,}"


# --- The life of a token ---


def life(story: dict) -> str:
    picture = Picture(
        "The life of a token",
        "Tokens are handed out from when they come until the next one is there, and renewed after 70 to 80 percent of their life.",
        300,
    )
    clock = Clock(0, 165 * MINUTE)
    clock.axis(picture, 52, 262, 15 * MINUTE)
    tokens, end = story["tokens"], story["end"]
    for n, token in enumerate(tokens):
        y = 92 + 40 * n
        next_one = tokens[n + 1]["seen"] if n + 1 < len(tokens) else end
        draw_token(picture, clock, token, next_one, y, n)
        picture.text(20, y + 15, f"token {n + 1}", "b")
    y = 66
    picture.text(20, y + 5, "requests", "b")
    for n, request in enumerate(story["requests"]):
        draw_request(picture, clock, story["requests"], n, y)
    y = 92 + 40 * len(tokens)
    picture.text(20, y + 15, "callers", "b")
    picture.box(clock(0), y, clock(end), 22, "good", 'rx="4"')
    reads, failed = number(story["reads"]), number(story["failed"])
    picture.text(clock(0) + 10, y + 15, f"a read each second, during renewals too: {reads} reads, {failed} failed", "on")
    return picture.done()


def draw_token(picture: Picture, clock: Clock, token: dict, next_one: int, y: float, n: int) -> None:
    lifetime = token["expires"] - token["sent"]
    window = [token["sent"] + lifetime * tenth // 10 for tenth in (7, 8)]
    picture.box(clock(token["sent"]), y, clock(token["expires"]), 22, "pale", 'rx="4"')
    picture.box(clock(token["sent"]), y, clock(next_one), 22, "good", 'rx="4"')
    for edge in window:
        picture.line(clock(edge), y - 3, clock(edge), y + 25, "warn", 'stroke-dasharray="3 3"')
    if n == 0:
        picture.text(clock(0) + 10, y + 15, "handed out", "on")
        picture.text(clock(window[1]) + 8, y + 15, "renewed at 70–80 % of its life, valid to its end", "s")


def draw_request(picture: Picture, clock: Clock, requests: list[dict], n: int, y: float) -> None:
    request = requests[n]
    after = requests[n + 1] if n + 1 < len(requests) else None
    rejected = request["refresh"] and after is not None and not after["refresh"] and after["at"] - request["at"] < 1_000
    x = clock(request["at"])
    if rejected:
        picture.cross(x - 7, y, "bad")
        picture.text(x - 18, y + 4, "refresh rejected:", "s", "end")
    elif request["refresh"]:
        picture.dot(x, y, "wait", hollow=True)
        picture.text(x + 12, y + 4, "refresh", "s")
    else:
        follows = n > 0 and request["at"] - requests[n - 1]["at"] < 1_000
        x += 7 if follows else 0
        picture.dot(x, y, "wait")
        picture.text(x + 12, y + 4, "the API key, at once" if follows else "API key", "s")


# --- An outage ---


def outage(stories: list[dict]) -> str:
    height = 50 + 172 * len(stories)
    picture = Picture(
        "An outage ridden out",
        "During an outage the valid token is served to its end, tries go on, and a token comes within 5 seconds of its end.",
        height,
    )
    for n, story in enumerate(stories):
        draw_outage(picture, story, 52 + 172 * n)
    return picture.done()


def draw_outage(picture: Picture, story: dict, top: float) -> None:
    clock = Clock(40 * MINUTE, 80 * MINUTE)
    away, back = story["away"]
    begin, end, minutes = clock(away), clock(back), (back - away) // MINUTE
    clock.axis(picture, top, top + 128, 5 * MINUTE)
    picture.box(begin, top, end, 128, "fog")
    picture.text(begin + 8, top + 16, f"api.video is away for {minutes} minutes", "s")

    picture.text(20, top + 41, "token", "b")
    old, new = story["tokens"]
    y = top + 26
    picture.box(clock(old["sent"]), y, min(clock(old["usable_until"]), clock(new["sent"])), 22, "good", 'rx="4"')
    picture.box(clock(new["sent"]), y, clock(new["expires"]), 22, "good", 'rx="4"')
    picture.text(begin + 8, y + 15, "the first, to its end" if story["failed"] else "the first", "on")
    picture.text(clock(new["sent"]) + 8, y + 15, "the second", "on")

    tries = [each["at"] for each in story["requests"] if away <= each["at"] < back]
    picture.text(20, top + 73, "tries", "b")
    picture.ticks([clock(at) for at in tries], top + 60, 16, "bad")
    picture.dot(clock(new["sent"]), top + 68, "wait", hollow=True)
    after = (new["sent"] - back) / 1_000
    picture.text(clock(new["sent"]) + 12, top + 72, f"{len(tries)} failed; {after:.0f} s after it is back, a token", "s")

    picture.text(20, top + 107, "callers", "b")
    y = top + 92
    picture.box(clock(clock.start), y, clock(clock.end), 22, "good", 'rx="4"')
    reads, failed = number(story["reads"]), story["failed"]
    if failed:
        first, last = clock(story["first_failed"]), clock(story["last_failed"])
        picture.box(first, y, last, 22, "bad")
        picture.text(first + 8, y + 15, "an error, at once", "on")
        picture.text(last + 8, y + 15, f"{number(failed)} of {reads} reads failed", "on")
    else:
        picture.text(begin + 8, y + 15, f"{reads} reads, 0 failed", "on")


# --- Processes that share a token ---


def sharing(stories: list[dict]) -> str:
    panel = 236
    picture = Picture(
        "One token for many processes",
        "One process takes the lease and makes the exchange; the others look until the token is there. If it is killed, another follows when its lease ends.",
        54 + panel * len(stories),
    )
    heads = ["The first to look finds nothing and takes the lease", "The same, but it is killed meanwhile"]
    for n, (story, head) in enumerate(zip(stories, heads)):
        top = 60 + panel * n
        count = "1 exchange" if story["exchanges"] == 1 else f"{story['exchanges']} exchanges"
        picture.text(20, top, f"{head}: {count}", "b")
        draw_sharing(picture, story, top + 14)
    return picture.done()


def draw_sharing(picture: Picture, story: dict, top: float) -> None:
    end, row = story["end"], 40
    processes = story["processes"]
    bottom = top + row * len(processes)
    clock = Clock(0, end)
    step = 250 if end < 2_000 else 1_000
    for at in range(0, end + 1, step):
        picture.line(clock(at), top, clock(at), bottom, "grid")
        picture.text(clock(at), bottom + 17, f"{at / 1000:g} s", "s", "middle")
    for n, process in enumerate(processes):
        steps = [each for each in story["steps"] if each["process"] == n]
        draw_process(picture, clock, process, steps, story["lease"], top + row * n + 8)
        picture.text(20, top + row * n + 24, f"process {n + 1}", "b")


def draw_process(picture: Picture, clock: Clock, process: dict, steps: list[dict], lease: int, y: float) -> None:
    at = {each["what"]: each["until"] for each in steps}
    killed, got = process["killed"], process["got"]
    if "lease" in at:
        ends = at["lease"] + lease if killed else got
        picture.box(clock(at["lease"]), y, clock(ends), 22, "fog" if killed else "pale", 'rx="4"')
        exchanged = killed or next(each["until"] for each in steps if each["what"] == "exchange")
        picture.box(clock(at["lease"]), y + 6, clock(exchanged), 10, "wait", 'rx="3"')
    if killed:
        picture.cross(clock(killed), y + 11, "bad")
        picture.text(clock(killed) + 14, y + 15, f"killed; its lease ends after {lease // 1000} s", "s")
    if got:
        picture.box(clock(got), y, clock(clock.end), 22, "good", 'rx="4"')
        if "exchange" in at:
            picture.text(clock(got) + 8, y + 15, "a token for all", "on")
        elif len(steps) == 1:
            picture.text(clock(got) + 8, y + 15, "there at the first look", "on")
        else:
            picture.text(clock(got) + 8, y + 15, "found", "on")
    looks = [clock(each["until"]) for each in steps if each["what"] == "look" and not (killed and each["until"] > killed)]
    picture.ticks(looks, y + 3, 16, "soft")


# --- States ---

STATES = {
    "None": ("none", "There has been no token yet.", "soft"),
    "Valid": ("valid", "A valid token is at hand.", "good"),
    "RenewalFailing": ("renewal failing", "It is valid, but renewing it fails.", "warn"),
    "Expired": ("expired", "It ran out while nobody asked.", "soft"),
    "Rejected": ("rejected", "The API answered 401 to it.", "warn"),
    "Unavailable": ("unavailable", "No valid token, and getting one fails.", "bad"),
}


def states(calls: list[dict]) -> str:
    row = 44
    picture = Picture("What a caller of get_token gets, in each state", "In each state: a token at once, a token after one exchange, or the last error at once.", 86 + row * len(calls))
    for x, head in ((20, "state"), (400, "the caller gets"), (772, "what is sent meanwhile")):
        picture.text(x, 60, head, "s")
    for n, call in enumerate(calls):
        name, meaning, color = STATES[call["state"]]
        y = 72 + row * n
        picture.line(20, y, WIDTH - 20, y, "grid")
        picture.box(20, y + 10, 138, 24, color, 'rx="12"')
        picture.text(79, y + 26, name, "on", "middle")
        picture.text(152, y + 26, meaning)
        gets, color = outcome(call)
        picture.box(400, y + 15, 414, 14, color, 'rx="7"')
        picture.text(422, y + 26, gets, "b")
        sent = ", ".join(f"POST {path}" for path in call["sent"]) or "nothing"
        picture.text(772, y + 26, sent, "m" if call["sent"] else "s")
    return picture.done()


def outcome(call: dict) -> tuple[str, str]:
    if call["error"]:
        error = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", call["error"]).upper()
        return f"{error} at once; next try in {call['retry_after_ms'] / 1000:.1f} s", "bad"
    if call["waited_ms"]:
        return f"a token, after one exchange of {call['waited_ms']} ms", "wait"
    return "the token, at once", "good"


# --- Badges ---


def fact(file: str, pattern: str) -> str:
    found = re.search(pattern, (ROOT / file).read_text(), re.M)
    if found is None:
        raise SystemExit(f"error: {file} has no {pattern}")
    return found[1]


def badges() -> dict[str, str]:
    """Each says what one file decides."""
    standard = fact("bindings/dotnet/src/LibApiVideo/LibApiVideo.csproj", r"<TargetFrameworks>netstandard(.*)</TargetFrameworks>")
    facts = {
        "version": ("version", fact("Cargo.toml", r'^version = "(.*)"')),
        "licence": ("licence", fact("Cargo.toml", r'^license = "(.*)"')),
        "abi": ("C ABI", fact("include/apivideo.h", r"^#define APIVIDEO_ABI_VERSION (\d+)")),
        "rust": ("Rust", fact("Cargo.toml", r'^rust-version = "(.*)"') + "+"),
        "python": ("Python", fact("bindings/python/pyproject.toml", r'^requires-python = ">=(.*)"') + "+"),
        "dotnet": (".NET Standard", standard),
    }
    return {f"badge-{name}": badge(*each) for name, each in facts.items()}


def badge(label: str, value: str) -> str:
    left, right = (round(len(text) * 6.6) + 14 for text in (label, value))
    text = 'font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle" fill="#fff"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{label}: {value}">'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="20" fill="#4a5160"/><rect x="{left}" width="{right}" height="20" fill="#2f6f9f"/></g>'
        f'<g {text}><text x="{left / 2:g}" y="14">{label}</text><text x="{left + right / 2:g}" y="14">{value}</text></g></svg>\n'
    )


def main() -> None:
    stories = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"life": life(stories["life"]), "states": states(stories["states"]), "outage": outage(stories["outages"]), "sharing": sharing(stories["sharing"]), **badges()}
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
