#!/usr/bin/env python3
"""Draws speed against chunk size and against threads, as one SVG, from `chunker bench`.

usage: bench/plot.py [--chunker PROGRAM] [--runs N] [--threads 1,2] [-o bench/speed.svg] [NAR...]

Without NARs `chunker bench` makes one up. Points are averages, the bars on them one standard deviation.
"""

import argparse
import json
import pathlib
import subprocess
from dataclasses import dataclass
from xml.sax.saxutils import escape

AVERAGES_KIB = [16, 32, 64, 128, 256, 512, 1024]
CUTTING = {"cut scalar", "cut avx512_vbmi", "cut NARs, aligned", "hash blake3, together", "hash sha256, together"}
STORE = {"ingest new", "ingest known", "restore into files"}
COLORS = ["#1b6ca8", "#c1440e", "#2d7d46", "#7b3f9e", "#8a6d1d"]

PANEL_WIDTH, PANEL_HEIGHT, LEFT, TOP, LEGEND = 420, 260, 60, 40, 90


def bench(arguments, *options):
    command = [arguments.chunker, "bench", "--json", "--runs", str(arguments.runs), *options, *arguments.nars]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        o = json.loads(line)
        if o["kind"] == "speed":
            yield f"{o['stage']} {o['way']}", o["average_gb_per_second"], o["deviation_gb_per_second"]


def by_chunk_size(arguments):
    series = {}
    for kib in AVERAGES_KIB:
        sizes = f"{kib * 1024 // 4}:{kib * 1024}:{kib * 1024 * 4}"
        for name, speed, deviation in bench(arguments, "--chunk-sizes", sizes, "--stage", "cut", "--stage", "hash"):
            if name in CUTTING:
                series.setdefault(name, []).append((f"{kib} KiB", speed, deviation))
    return series


def by_threads(arguments):
    series = {}
    for threads in arguments.threads:
        for name, speed, deviation in bench(arguments, "--threads", str(threads), "--stage", "store"):
            if name in STORE:
                series.setdefault(name, []).append((str(threads), speed, deviation))
    return series


@dataclass
class Panel:
    """Lines over named places, all at the same distance from each other."""

    title: str
    below: str
    series: dict
    left: float

    def __post_init__(self):
        points = [point for line in self.series.values() for point in line]
        self.places = list(dict.fromkeys(place for place, _, _ in points))
        self.top_speed = nice(max(speed + deviation for _, speed, deviation in points))

    def x(self, place):
        step = PANEL_WIDTH / max(1, len(self.places) - 1)
        return self.left + step * self.places.index(place)

    def y(self, speed):
        return TOP + PANEL_HEIGHT * (1 - speed / self.top_speed)

    def draw(self):
        bottom = TOP + PANEL_HEIGHT
        yield label(self.left, TOP - 16, self.title, "start", "bold")
        for i in range(5):
            speed = self.top_speed * i / 4
            yield line(self.left, self.y(speed), self.left + PANEL_WIDTH, self.y(speed), "#dddddd")
            yield label(self.left - 6, self.y(speed) + 4, f"{speed:g}", "end")
        for place in self.places:
            yield label(self.x(place), bottom + 18, place, "middle")
        yield label(self.left + PANEL_WIDTH / 2, bottom + 36, self.below, "middle")
        for i, (name, points) in enumerate(self.series.items()):
            yield from self.draw_line(points, COLORS[i % len(COLORS)])
            row = bottom + 56 + 16 * (i // 2)
            column = self.left + PANEL_WIDTH / 2 * (i % 2)
            yield line(column, row - 4, column + 18, row - 4, COLORS[i % len(COLORS)], 2)
            yield label(column + 24, row, name, "start")

    def draw_line(self, points, color):
        path = " ".join(f"{self.x(place):.1f},{self.y(speed):.1f}" for place, speed, _ in points)
        yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
        for place, speed, deviation in points:
            x = self.x(place)
            yield line(x, self.y(speed - deviation), x, self.y(speed + deviation), color)
            yield f'<circle cx="{x:.1f}" cy="{self.y(speed):.1f}" r="3" fill="{color}"/>'


def nice(value):
    """The next number that is not below and whose quarters are short to write."""
    scale = 1e-6
    while True:
        for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8):
            if step * scale >= value:
                return step * scale
        scale *= 10


def line(x1, y1, x2, y2, color, width=1):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
            f'stroke-width="{width}"/>')


def label(x, y, words, anchor, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'


def svg(panels):
    width = LEFT + len(panels) * (PANEL_WIDTH + LEFT) + 20
    height = TOP + PANEL_HEIGHT + 36 + LEGEND
    shapes = [shape for panel in panels for shape in panel.draw()]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>', *shapes, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunker", default="chunker")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", default="1,2", type=lambda value: [int(count) for count in value.split(",")])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("bench/speed.svg"))
    parser.add_argument("nars", nargs="*", metavar="NAR")
    arguments = parser.parse_args()
    panels = [
        Panel("Cutting and hashing, one thread, GB/s", "average chunk size (least a quarter, most four times)",
              by_chunk_size(arguments), LEFT),
        Panel("Into a store and back, GB/s", "threads", by_threads(arguments), 2 * LEFT + PANEL_WIDTH),
    ]
    arguments.output.write_text(svg(panels))


if __name__ == "__main__":
    main()
