"""Arrangements of views for Slicer: X-rays in views of their own beside 3D, so that Red, Yellow and Green
stay the CT's.

X-ray number n of a session is always in the view "Xray<n>", whatever the arrangement. Light to import: Slicer
is told of the arrangements when the module is set up, so that saved scenes that use one open with it.
"""

X_RAYS_AND_3D = "X-rays and 3D"
X_RAYS = "X-rays"
ONE_X_RAY = "One X-ray, 3D and CT"
KINDS = (X_RAYS_AND_3D, X_RAYS, ONE_X_RAY)

CT_VIEWS = (
    ("Red", "Axial", "R", "#F34A33"),
    ("Yellow", "Sagittal", "Y", "#EDD54C"),
    ("Green", "Coronal", "G", "#6EB04B"),
)
"""Name, orientation, label and colour of Slicer's own slice views."""

COLORS = ((0.25, 0.65, 1.0), (1.0, 0.6, 0.2), (0.45, 0.85, 0.4), (0.9, 0.45, 0.85))
"""Of the X-rays in turn: the bar of the view and the frustum in 3D."""

MOST_BESIDE = 4
"""X-rays that are shown beside each other."""
_MOST = 9
"""X-rays that have a view of their own in ONE_X_RAY."""
_SHARES = {1: (1, 1), 2: (2, 1), 3: (3, 2), 4: (3, 2)}  # X-rays beside 3D, by their number
_FIRST_ID = 8100  # Slicer's own are below 100, and examples take 501 and what follows
_GROUP = 77  # views of a group share crosshair and jumps: a CT view must not push an X-ray out of its plane


def register(layout_node) -> None:
    """Tell a vtkMRMLLayoutNode of the arrangements, and show the one that its scene asks for."""
    for kind in KINDS:
        for number in range(1, _most(kind) + 1):
            layout_node.AddLayoutDescription(layout_id(kind, number), _description(kind, number))
    current = layout_node.GetViewArrangement()
    if kind_of(current) is not None:
        layout_node.SetViewArrangement(current)


def layout_id(kind: str, number: int) -> int:
    """Slicer's number of an arrangement.

    Args:
        number: how many X-rays are shown beside each other; which one, from 1, for ONE_X_RAY.
    """
    return _FIRST_ID + 10 * KINDS.index(kind) + max(1, min(number, _most(kind)))


def kind_of(layout: int) -> str | None:
    """Of an arrangement by Slicer's number; None if it is not one of these."""
    for kind in KINDS:
        if layout_id(kind, 1) <= layout <= layout_id(kind, _most(kind)):
            return kind
    return None


def xrays_in(layout: int) -> dict[str, int]:
    """The views of an arrangement that show X-rays, and which, from 0.

    Arrangements of others, which know no X-rays, show them in Slicer's own slice views.
    """
    kind = kind_of(layout)
    if kind is None:
        return {name: number for number, (name, *_) in enumerate(CT_VIEWS)}
    number = layout - layout_id(kind, 1) + 1
    shown = [number] if kind == ONE_X_RAY else range(1, number + 1)
    return {_tag(each): each - 1 for each in shown}


def _most(kind: str) -> int:
    return _MOST if kind == ONE_X_RAY else MOST_BESIDE


def _tag(number: int) -> str:
    return f"Xray{number}"


def _description(kind: str, number: int) -> str:
    """The layout's XML."""
    if kind == X_RAYS_AND_3D:
        return _row(_grid(number), _THREE_D, sizes=_SHARES[number])
    if kind == X_RAYS:
        return _grid(number)
    return _column(
        _row(_xray(number), _THREE_D), _row(*(_slice(*view, 0) for view in CT_VIEWS)), sizes=(2, 1)
    )


def _grid(count: int) -> str:
    """X-rays beside each other; three or four in two rows."""
    views = [_xray(number) for number in range(1, count + 1)]
    return _row(*views) if count < 3 else _column(_row(*views[:2]), _row(*views[2:]))


def _xray(number: int) -> str:
    red, green, blue = (round(255 * part) for part in COLORS[(number - 1) % len(COLORS)])
    return _slice(_tag(number), "Axial", f"X{number}", f"#{red:02X}{green:02X}{blue:02X}", _GROUP)


def _slice(name: str, orientation: str, label: str, color: str, group: int) -> str:
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{name}">'
        f'<property name="orientation" action="default">{orientation}</property>'
        f'<property name="viewlabel" action="default">{label}</property>'
        f'<property name="viewcolor" action="default">{color}</property>'
        f'<property name="viewgroup" action="default">{group}</property></view>'
    )


_THREE_D = (
    '<view class="vtkMRMLViewNode" singletontag="1">'
    '<property name="viewlabel" action="default">1</property></view>'
)


def _row(*parts: str, sizes: tuple[int, ...] | None = None) -> str:
    return _split("horizontal", parts, sizes or (1,) * len(parts))


def _column(*parts: str, sizes: tuple[int, ...] = (1, 1)) -> str:
    return _split("vertical", parts, sizes)


def _split(direction: str, parts: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    items = (f'<item splitSize="{500 * size}">{part}</item>' for part, size in zip(parts, sizes, strict=True))
    return f'<layout type="{direction}" split="true">{"".join(items)}</layout>'
