"""Writes an RT Structure Set with pydicom from a JSON description of a grid on stdin, and what its region shows, by numpy.

Star-shaped outlines with a hole and an island in it, and a second outline beside them, on every second slice, as oblique as
the grid. The mask is uint8 [slice, row, column]: 1 inside, by counting how often a ray down the column crosses an outline;
255 where a pixel centre lies within two thousandths of a pixel of one. Arguments: object to write, mask to write."""
import json
import sys

import numpy
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from made_object import item, start

wanted = json.load(sys.stdin)
columns, rows, slices = wanted["size"]
random = numpy.random.default_rng(wanted["seed"])
origin = numpy.array(wanted["origin"])
steps = numpy.array(wanted["direction"]) * numpy.array(wanted["spacingMm"])[:, None]


def star(x, y, least, most, corners):
    angles = numpy.arange(corners) * 2 * numpy.pi / corners + random.uniform(0, 6)
    radii = random.uniform(least, most, corners)
    return numpy.stack([x + radii * numpy.cos(angles), y + radii * numpy.sin(angles)], axis=1)


def decimal(value):
    text = repr(float(value))
    for digits in range(15, 0, -1):
        if len(text) <= 16:
            break
        text = f"{value:.{digits}g}"
    return text


j, i = numpy.mgrid[0:rows, 0:columns].astype(float)
mask = numpy.zeros((slices, rows, columns), dtype=numpy.uint8)
contours = []
for k in range(0, slices, 2):
    outlines = [star(14, 15, 10, 12, 40), star(14, 15, 6, 8, 25), star(14, 15, 2, 4, 9), star(32, 15, 3, 5.5, 30)]
    odd = numpy.zeros((rows, columns), dtype=bool)
    near = numpy.zeros((rows, columns), dtype=bool)
    for outline in outlines:
        for (x, y), (u, v) in zip(outline, numpy.roll(outline, -1, axis=0)):
            between = (x > i) != (u > i)
            with numpy.errstate(divide="ignore", invalid="ignore"):
                odd ^= between & (j > y + (i - x) / (u - x) * (v - y))
            along = numpy.clip(((i - x) * (u - x) + (j - y) * (v - y)) / ((u - x) ** 2 + (v - y) ** 2), 0, 1)
            near |= numpy.hypot(x + along * (u - x) - i, y + along * (v - y) - j) < 2e-3
        places = origin + outline[:, :1] * steps[0] + outline[:, 1:] * steps[1] + k * steps[2]
        contours.append(
            item(
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(outline),
                ContourData=[decimal(value) for value in places.reshape(-1)],
            )
        )
    mask[k][odd] = 1
    mask[k][near] = 255
random.shuffle(contours)

ds = start(sys.argv[1], "1.2.840.10008.5.1.4.1.1.481.3", "2.25.901", ImplicitVRLittleEndian if wanted["implicit"] else ExplicitVRLittleEndian)
ds.SpecificCharacterSet = "ISO_IR 144"
ds.StudyInstanceUID = "2.25.902"
ds.SeriesInstanceUID = "2.25.903"
ds.Modality = "RTSTRUCT"
ds.PatientID = "V-1"
ds.StructureSetLabel = "VENDOR"
ds.StructureSetROISequence = Sequence(
    [
        item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID="2.25.904",
            ROIName=name,
            ROIGenerationAlgorithm=algorithm,
        )
        for number, name, algorithm in [(2, "Кожа", ""), (1, "Мозг", "MANUAL")]
    ]
)
ds.ROIContourSequence = Sequence([item(ReferencedROINumber=1, ContourSequence=Sequence(contours))])
ds.RTROIObservationsSequence = Sequence([item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN")])
ds.save_as(sys.argv[1], write_like_original=False)
mask.tofile(sys.argv[2])
