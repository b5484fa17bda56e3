"""The check before a registration, by clicks: problems are the message, warnings stand under the progress."""

import numpy as np
from story import run_to_the_end, state
from xrayreg.geometry import translation


def test_a_beam_that_misses_the_volume_is_the_message_and_nothing_changes(application, ready):
    import slicer
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of
    from XrayRegistrationLib.scene import place_view

    node, _ = roles.references(ready.session, roles.VIEW)
    camera = camera_of(node)
    place_view(node, camera.moved(translation([900.0, 0, 0]) @ camera.camera_from_patient))
    before = state(slicer.mrmlScene)
    run_to_the_end(application, ready)
    (message,) = application.errors
    assert "the beam misses the volume" in message
    assert "check the start pose" in message
    assert state(slicer.mrmlScene) == before


def test_what_was_assumed_stands_under_the_progress_and_the_rest_goes_on(application, ready):
    import slicer
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.mrml import array_of

    ready.session.SetAttribute(roles.START, roles.ONLY_REFINE)  # quick
    ready.refresh()
    array_of(ready.session.GetNodeReference(roles.VOLUME))[:] += np.float32(1000).astype(np.int16)
    slicer.app.processEvents()
    run_to_the_end(application, ready)
    assert application.errors == []
    assert "values from 0 to 1900 are no HU" in ready.register._ui.registerHint.text
