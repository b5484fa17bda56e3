"""Names under which nodes know each other. Nothing is ever found by a node's name.

On the result node (vtkMRMLScriptedModuleNode), which is also the module's parameter node: VOLUME,
SEGMENTATION, VIEW (one per X-ray, in order), PLAN (one per markup), LANDMARKS, POINTS, BODY (the motion of
each bone that was registered by itself; what is known of it is an attribute of the same name) and FIELD (the
motion of everything then, marked by an attribute of the same name); MODALITY ("MR", or else CT), CONFIDENCE,
DECISION, COMMENT, MADE, PLACE, EXPORTED, START, NETWORK, ANY_PATIENT, COMPARE, BODIES (what is to move, see
`asking`) and REMAINDER as attributes. On the X-ray node of a view: ATTENTION_MAP, CAMERA, COMPARISON (which
says by COMPARE what it is), DETECTOR, DRR, EPIPOLAR (one line per point of another view), FRUSTUM,
LANDMARKS_2D, MASK, MASK_CURVE (each area that is masked by hand), OUTLINES, OUTLINE_COLORS, POINTS_HERE,
REPROJECTED, the camera's numbers as JSON in the attributes K, SIZE and so on, and where it was read from as
SOURCE.
"""

import json

MODULE = "XrayRegistration"
MODULE_ATTRIBUTE = "ModuleName"
"""By which Slicer's node selectors and ScriptedLoadableModuleLogic tell whose a node is."""

VOLUME = "Volume"
SEGMENTATION = "Segmentation"
VIEW = "View"
PLAN = "Plan"
LANDMARKS = "Landmarks"
POINTS = "Points"

BODY = "XrayRegistration.Body"
FIELD = "XrayRegistration.Field"

MODALITY = "XrayRegistration.Modality"
BODIES = "XrayRegistration.Bodies"
REMAINDER = "XrayRegistration.RemainderPatientFromRestLps"
"""The motion of what is no body."""

ATTENTION_MAP = "XrayRegistration.AttentionMap"
CAMERA = "XrayRegistration.Camera"
COMPARISON = "XrayRegistration.Comparison"
DETECTOR = "XrayRegistration.Detector"
DRR = "XrayRegistration.Drr"
EPIPOLAR = "XrayRegistration.Epipolar"
FRUSTUM = "XrayRegistration.Frustum"
LANDMARKS_2D = "XrayRegistration.Landmarks"
MASK = "XrayRegistration.Mask"
MASK_CURVE = "XrayRegistration.MaskCurve"
OUTLINES = "XrayRegistration.Outlines"
OUTLINE_COLORS = "XrayRegistration.OutlineColors"
POINTS_HERE = "XrayRegistration.PointsHere"
REPROJECTED = "XrayRegistration.Reprojected"
OF_A_VIEW = (
    ATTENTION_MAP,
    CAMERA,
    COMPARISON,
    DETECTOR,
    DRR,
    EPIPOLAR,
    FRUSTUM,
    LANDMARKS_2D,
    MASK,
    MASK_CURVE,
    OUTLINES,
    OUTLINE_COLORS,
    POINTS_HERE,
    REPROJECTED,
)

VIEW_NAME = "XrayRegistration.View"
K = "XrayRegistration.K"
SIZE = "XrayRegistration.Size"
SOURCE_TO_DETECTOR_MM = "XrayRegistration.SourceToDetectorMm"
PIXEL_SPACING_MM = "XrayRegistration.PixelSpacingMm"
SIMILARITY = "XrayRegistration.Similarity"
INITIAL_CAMERA_FROM_PATIENT = "XrayRegistration.InitialCameraFromPatientLps"
RIGID_CAMERA_FROM_PATIENT = "XrayRegistration.RigidCameraFromPatientLps"
"""Where a view was before bones were registered each by itself."""
COVARIANCE = "XrayRegistration.Covariance"
BEFORE_HAND = "XrayRegistration.BeforeHandCameraFromPatientLps"
LEFT_OUT = "XrayRegistration.LeftOutLandmarks"
RIG = "XrayRegistration.Rig"
NOTES = "XrayRegistration.Notes"
FILE = "XrayRegistration.File"
"""Path and checksum of the file that an X-ray was read from, as in registration.json."""
SOURCE = "XrayRegistration.Source"
REGISTERED_FRAME = "XrayRegistration.RegisteredFrame"

CONFIDENCE = "XrayRegistration.Confidence"
DECISION = "XrayRegistration.Decision"
COMMENT = "XrayRegistration.Comment"
MADE = "XrayRegistration.Made"
"""What registered, and in what time: "software" and "timing_s" as in registration.json."""
PLACE = "XrayRegistration.Place"
"""The bounds of the volume that was registered, RAS, mm, by which it is noticed if it is moved."""
EXPORTED = "XrayRegistration.Exported"
"""In an exported scene: which of its results the folder is about."""
START = "XrayRegistration.Start"
ONLY_REFINE, FROM_NETWORK = "refine", "network"
"""Of START: nothing is searched around the start, or a network finds it; without the attribute it is searched
around."""
NETWORK = "XrayRegistration.Network"
"""The file of the pose network."""
ANY_PATIENT = "XrayRegistration.NetworkOfAnyPatient"
"""Is there if a network that was trained on another CT may be used."""

COMPARE = "XrayRegistration.Compare"
"""How X-ray and DRR are compared, one of COMPARISONS."""
BLEND, CHECKERBOARD, DIFFERENCE, EDGES, FLICKER = "blend", "checkerboard", "difference", "edges", "flicker"
ATTENTION = "attention"
"""Of COMPARE: not the DRR but where a network looks lies over the X-ray."""
COMPARISONS = (BLEND, CHECKERBOARD, DIFFERENCE, EDGES, FLICKER, ATTENTION)


def view_name(xray) -> str:
    """The view's name in the registration; the node's own name may have been made unique."""
    return json.loads(xray.GetAttribute(VIEW_NAME))


def modality_of(session) -> str:
    """What the volume is said to be: "CT" or "MR"."""
    return session.GetAttribute(MODALITY) or "CT"


def frame_of(xray) -> int:
    """The number of the frame that an X-ray node shows, from 1."""
    return source_of(xray)["frame"]


def frames_of(xray) -> int:
    """How many frames its file holds."""
    return source_of(xray)["frames"]


def other_registered_frame(xray) -> int | None:
    """The frame on which a view was registered if another one is shown now, else None."""
    frame = json.loads(xray.GetAttribute(REGISTERED_FRAME) or "null")
    return None if frame == frame_of(xray) else frame


def source_of(xray) -> dict:
    """Where an X-ray node was read from (see `cine`); one frame if it came without a file."""
    return json.loads(xray.GetAttribute(SOURCE) or '{"frame": 1, "frames": 1}')


def references(node, role: str) -> list:
    """The nodes that ``node`` refers to under ``role``, in order."""
    return [node.GetNthNodeReference(role, n) for n in range(node.GetNumberOfNodeReferences(role))]


def result_nodes(scene) -> list:
    """The result nodes of every registration in the scene, in the order they were added."""
    nodes = scene.GetNodesByClass("vtkMRMLScriptedModuleNode")
    nodes.UnRegister(None)  # the collection is handed over with a reference of its own
    every = [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]
    return [node for node in every if node.GetAttribute(MODULE_ATTRIBUTE) == MODULE]
