"""Write the camera file of the flat panel that the benchmarks of networks use.

python Testing/benchmarks/network_geometry.py CAMERA.json
"""

import sys

from network_cases import panel_camera
from xrayreg.geometry import write_camera_file

write_camera_file(sys.argv[1], panel_camera(), intensity="transmission")
