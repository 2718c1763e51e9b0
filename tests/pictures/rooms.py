"""
Draw the rooms of the package and which imports which, for docs/architecture.md: ``python -m tests.pictures.rooms``.

The rooms and the arrows are read from the import statements, so every arrow in the drawing exists. A test
compares the file with the code.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_sagemaker_presign"
DRAWING = ROOT / "docs" / "rooms.svg"

SHARED = "top-level modules"
PURPOSES = {
    "operators": "parameters; start, wait, deliver",
    "launch_page": "the page in Airflow that mints on a click",
    "local": "SageMaker on this machine, the demo",
    "triggers": "stored in Airflow's database",
    "notifications": "what a message says, on Slack, by mail",
    "waiting": "state machine, worker's wait, poller",
    "idle": "when to warn, when to stop what is idle",
    "delivery": "each notifier's attempts",
    "hooks": "AWS calls, AWS's errors",
    "workspaces": "statuses and what they mean",
    SHARED: "errors, links, parameters, compat",
    "usage": "what a Jupyter server says about use",
    "minting": "the presigned URL, redaction",
}
"""What each room is for; rooms on one floor stand in this order."""

WIDTH, FLOOR, BOX_WIDTH, BOX_HEIGHT = 960, 92, 270, 52

Graph = dict[str, set[str]]
Place = tuple[int, int]


def main() -> None:
    """Write the drawing."""
    DRAWING.write_text(svg())


def svg() -> str:
    """
    Return the drawing.

    :raises ValueError: when a room has no purpose here, or a purpose no room, or imports go round in a circle.
    """
    graph = imports()
    if set(graph) != set(PURPOSES):
        raise ValueError(f"PURPOSES has to name each room: {sorted(set(graph) ^ set(PURPOSES))}")
    floors = floors_of(graph)
    places = places_of(floors)
    height = FLOOR * (max(floors.values()) + 1) + 20
    arrows = sorted((room, other) for room, others in reduced(graph).items() for other in others)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
            '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *(arrow(places[room], places[other], places.values()) for room, other in arrows),
            *(box(room, PURPOSES[room], *places[room]) for room in PURPOSES),
            "</svg>",
            "",
        ]
    )


def imports() -> Graph:
    """Return which other rooms each room imports, in functions, too, but not for types alone."""
    graph: Graph = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = room_of(path.relative_to(PACKAGE).parts)
        found = graph.setdefault(room, set())
        for module in imported(ast.parse(path.read_text())):
            found.add(room_of(module.split(".")[1:]))
    return {room: others - {room} for room, others in graph.items()}


def room_of(parts: tuple[str, ...] | list[str]) -> str:
    """Return in which room a file or module is, by its path below the package."""
    return parts[0] if parts and (PACKAGE / parts[0]).is_dir() else SHARED


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules of the package that a syntax tree imports."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] == PACKAGE.name:
            yield from (f"{module}.{alias.name}" for alias in node.names)
        case ast.Import():
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE.name)
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def floors_of(graph: Graph) -> Mapping[str, int]:
    """Return each room's floor from the bottom: just below the lowest room that imports it, or on top."""
    depths: dict[str, int] = {}

    def depth(room: str, above: tuple[str, ...] = ()) -> int:
        if room in above:
            raise ValueError(f"Imports go round in a circle: {' -> '.join((*above[above.index(room) :], room))}")
        if room not in depths:
            importers = [other for other, others in graph.items() if room in others]
            depths[room] = max((depth(other, (*above, room)) + 1 for other in importers), default=0)
        return depths[room]

    for room in graph:
        depth(room)
    lowest = max(depths.values())
    return {room: lowest - found for room, found in depths.items()}


def reduced(graph: Graph) -> Graph:
    """Leave out an arrow where a longer way leads to the same room: all of them would be a black box."""

    def below(room: str) -> set[str]:
        return graph[room].union(*map(below, graph[room]))

    return {room: others - {far for other in others for far in below(other)} for room, others in graph.items()}


def places_of(floors: Mapping[str, int]) -> Mapping[str, Place]:
    """Return the middle of each room's box."""
    top = max(floors.values())
    places = {}
    for floor in set(floors.values()):
        rooms = [room for room in PURPOSES if floors[room] == floor]
        for number, room in enumerate(rooms):
            x = WIDTH * (number + 1) // (len(rooms) + 1) if len(rooms) < 3 else WIDTH * (2 * number + 1) // 6
            places[room] = x, (top - floor) * FLOOR + FLOOR // 2 + 10
    return places


def arrow(start: Place, end: Place, boxes: Collection[Place]) -> str:
    """Return an arrow: straight where no box is in its way, else down and then across, at worst along the edge."""
    (x, y), (to_x, to_y) = start, end
    between = [box for box in boxes if y < box[1] < to_y]
    y, side = y + BOX_HEIGHT // 2, BOX_WIDTH // 2 if x > to_x else -BOX_WIDTH // 2
    if is_clear(start, end, between):
        path = f"M{x} {y}L{to_x} {to_y - BOX_HEIGHT // 2}"
    elif is_clear(start, (x, to_y), between):
        path = f"M{x} {y}V{to_y}H{to_x + side}"
    else:
        edge = WIDTH - 10 if x > to_x else 10
        path = f"M{x} {y}v12H{edge}V{to_y}H{to_x + side}"
    return f'<path d="{path}" fill="none" stroke="#57606a" stroke-width="1.5" marker-end="url(#head)"/>'


def is_clear(start: Place, end: Place, boxes: Collection[Place]) -> bool:
    """Return whether a straight line passes beside all of these boxes."""
    (x, y), (to_x, to_y) = start, end
    heights = (-BOX_HEIGHT // 2, BOX_HEIGHT // 2)
    crossings = [
        (x + (to_x - x) * (box_y + height - y) / (to_y - y) - box_x) for box_x, box_y in boxes for height in heights
    ]
    return all(abs(crossing) > BOX_WIDTH // 2 for crossing in crossings)


def box(room: str, purpose: str, x: int, y: int) -> str:
    """Return a room's box, with what it is for."""
    left, top = x - BOX_WIDTH // 2, y - BOX_HEIGHT // 2
    name = room if room == SHARED else f"{room}/"
    return (
        f'<g text-anchor="middle"><rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="#f6f8fa" stroke="#57606a"/>'
        f'<text x="{x}" y="{y - 4}" font-size="15" font-weight="bold" fill="#1f2328">{escape(name)}</text>'
        f'<text x="{x}" y="{y + 15}" font-size="12.5" fill="#57606a">{escape(purpose)}</text></g>'
    )


if __name__ == "__main__":
    main()
