"""Writes a BINARY SEG with pydicom the way that stands on geometry alone: half the resolution of the image, some of its
slices, an empty derivation sequence, no referenced series, the segment named in the shared groups, text in ISO_IR 144 or
another character set.

The description of the image's grid comes as JSON on stdin. Arguments: object to write, mask on the image's grid (uint8
[slice, row, column], a ball) to write."""
import json
import sys

import numpy
from pydicom.pixel_data_handlers.numpy_handler import pack_bits
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from made_object import code, item, start

wanted = json.load(sys.stdin)
columns, rows, slices = wanted["size"]
spacing = numpy.array(wanted["spacingMm"])
direction = numpy.array(wanted["direction"])
origin = numpy.array(wanted["origin"])
factor = wanted["coarser"]


def ball(k, j, i):
    away = ((i - columns / 2) / columns) ** 2 + ((j - rows / 2) / rows) ** 2 + ((k - slices / 2) / slices) ** 2
    return away < 0.4**2


mask = ball(*numpy.mgrid[0:slices, 0:rows, 0:columns].astype(float)).astype(numpy.uint8)
shift = (factor - 1) / 2
v, u = numpy.mgrid[0 : rows // factor, 0 : columns // factor].astype(float)
frames = [ball(k, v * factor + shift, u * factor + shift) for k in wanted["slices"]]
first = origin + shift * (direction[0] * spacing[0] + direction[1] * spacing[1])

ds = start(sys.argv[1], "1.2.840.10008.5.1.4.1.1.66.4", wanted.get("sopInstanceUid", "2.25.911"), ExplicitVRLittleEndian)
ds.SpecificCharacterSet = wanted.get("characterSet", "ISO_IR 144")
ds.StudyInstanceUID = wanted.get("studyInstanceUid", "2.25.912")
ds.SeriesInstanceUID = wanted.get("seriesInstanceUid", "2.25.913")
ds.FrameOfReferenceUID = wanted.get("frameOfReferenceUid", "2.25.914")
ds.PatientID = wanted.get("patientId", "")
ds.Modality = "SEG"
ds.SegmentationType = "BINARY"
ds.Rows, ds.Columns, ds.NumberOfFrames = rows // factor, columns // factor, len(frames)
ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
codes = [("T-A4000", "SRT"), ("G-A102", "SRT")] if wanted.get("retired") else [("42695009", "SCT"), ("51440002", "SCT")]
kind = code(*codes[0], "Thalamus")
kind[0].SegmentedPropertyTypeModifierCodeSequence = code(*codes[1], "Bilateral")
ds.SegmentSequence = Sequence(
    [
        item(
            SegmentNumber=1,
            SegmentLabel=wanted.get("label", "Таламус"),
            SegmentAlgorithmType="MANUAL",
            SegmentedPropertyCategoryCodeSequence=code("123037004", "SCT", "Anatomical Structure"),
            SegmentedPropertyTypeCodeSequence=kind,
        )
    ]
)
ds.SharedFunctionalGroupsSequence = Sequence(
    [
        item(
            SegmentIdentificationSequence=Sequence([item(ReferencedSegmentNumber=1)]),
            PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[f"{x:.10f}" for x in direction[:2].reshape(-1)])]),
            PixelMeasuresSequence=Sequence(
                [
                    item(
                        PixelSpacing=[f"{x:.10f}" for x in (spacing[1] * factor, spacing[0] * factor)],
                        SliceThickness=f"{spacing[2]:.10f}",
                    )
                ]
            ),
        )
    ]
)
ds.PerFrameFunctionalGroupsSequence = Sequence(
    [
        item(
            DerivationImageSequence=Sequence([]),
            PlanePositionSequence=Sequence(
                [item(ImagePositionPatient=[f"{x:.8f}" for x in first + k * direction[2] * spacing[2]])]
            ),
        )
        for k in wanted["slices"]
    ]
)
packed = pack_bits(numpy.array(frames, dtype=numpy.uint8).reshape(-1))
ds.PixelData = packed + b"\0" * (len(packed) % 2)
ds.save_as(sys.argv[1], write_like_original=False)
mask.tofile(sys.argv[2])
