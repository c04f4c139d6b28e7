"""Writes a SEG with pydicom as highdicom lays one out: segments, then planes, empty frames left out, orientation and spacing in the
shared groups, a padding byte that is the digit 0, SegmentsOverlap UNDEFINED; FRACTIONAL as OCCUPANCY, LABELMAP with a background.

The description of the image's grid comes as JSON on stdin, with "type", "bits" (8 or 16, of a LABELMAP) and "rle". Arguments: object
to write, labels on the image's grid (uint16 [slice, row, column]) to write."""
import json
import sys

import numpy
from pydicom.pixel_data_handlers.numpy_handler import pack_bits
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from made_object import code, item, start

wanted = json.load(sys.stdin)
kind = wanted["type"]
columns, rows, slices = wanted["size"]
spacing = numpy.array(wanted["spacingMm"])
direction = numpy.array(wanted["direction"])
origin = numpy.array(wanted["origin"])
# highdicom numbers a LABELMAP's segments as its pixels do, with gaps.
numbers = [1, 2] if kind != "LABELMAP" else [7, 300 if wanted["bits"] == 16 else 200]

k, j, i = numpy.mgrid[0:slices, 0:rows, 0:columns].astype(float)
away = ((i - columns / 2) / columns) ** 2 + ((j - rows / 2) / rows) ** 2 + ((k - slices / 2) / slices) ** 2
labels = numpy.where(away < 0.25**2, numbers[1], numpy.where(away < 0.4**2, numbers[0], 0)).astype(numpy.uint16)

if kind == "LABELMAP":
    frames = [(None, k) for k in range(slices) if labels[k].any()]
    planes = [labels[k].astype(numpy.uint8 if wanted["bits"] == 8 else numpy.uint16) for _, k in frames]
else:
    frames = [(s, k) for s in numbers for k in range(slices) if (labels[k] == s).any()]
    planes = [(labels[k] == s).astype(numpy.uint8) for s, k in frames]
    if kind == "FRACTIONAL":
        # Shares of the pixel; what is below one half is not segment.
        planes = [numpy.where(plane, 255 - 60 * (plane.cumsum() % 3 == 0).reshape(plane.shape), 100) for plane in planes]
        planes = [plane.astype(numpy.uint8) for plane in planes]

ds = start(sys.argv[1], "1.2.840.10008.5.1.4.1.1.66." + ("7" if kind == "LABELMAP" else "4"), "2.25.921", ExplicitVRLittleEndian)
ds.StudyInstanceUID = "2.25.922"
ds.SeriesInstanceUID = "2.25.923"
ds.FrameOfReferenceUID = "2.25.924"
ds.Modality = "SEG"
ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "TEST", "highdicom layout", "1"
ds.SegmentationType = kind
ds.add_new(0x00620013, "CS", "UNDEFINED")
ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, len(frames)
ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
bits = 1 if kind == "BINARY" else wanted["bits"] if kind == "LABELMAP" else 8
ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
if kind == "FRACTIONAL":
    ds.SegmentationFractionalType, ds.MaximumFractionalValue = "OCCUPANCY", 255
if kind == "LABELMAP":
    ds.add_new(0x00280120, "US", 0)
described = ([0] if kind == "LABELMAP" else []) + numbers
ds.SegmentSequence = Sequence(
    [
        item(
            SegmentNumber=number,
            SegmentLabel=f"segment {number}",
            SegmentAlgorithmType="SEMIAUTOMATIC",
            SegmentedPropertyCategoryCodeSequence=code("125040", "DCM", "Background")
            if number == 0
            else code("123037004", "SCT", "Anatomical Structure"),
            SegmentedPropertyTypeCodeSequence=code("125040", "DCM", "Background") if number == 0 else code("12738006", "SCT", "Brain"),
        )
        for number in described
    ]
)
ds.SharedFunctionalGroupsSequence = Sequence(
    [
        item(
            PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[f"{x:.12f}" for x in direction[:2].reshape(-1)])]),
            PixelMeasuresSequence=Sequence(
                [
                    item(
                        PixelSpacing=[f"{x:.12f}" for x in (spacing[1], spacing[0])],
                        SliceThickness=f"{spacing[2]:.12f}",
                        SpacingBetweenSlices=f"{spacing[2]:.12f}",
                    )
                ]
            ),
        )
    ]
)


def group(segment, plane, index):
    made = item(
        FrameContentSequence=Sequence([item(DimensionIndexValues=[index + 1])]),
        PlanePositionSequence=Sequence([item(ImagePositionPatient=[f"{x:.10f}" for x in origin + plane * direction[2] * spacing[2]])]),
        DerivationImageSequence=Sequence([]),
    )
    if segment is not None:
        made.SegmentIdentificationSequence = Sequence([item(ReferencedSegmentNumber=segment)])
    return made


ds.PerFrameFunctionalGroupsSequence = Sequence([group(s, k, n) for n, (s, k) in enumerate(frames)])
pixels = numpy.array(planes)
packed = pack_bits(pixels.reshape(-1), pad=False) if kind == "BINARY" else pixels.tobytes()
ds.PixelData = packed + b"0" * (len(packed) % 2)
ds["PixelData"].VR = "OB" if bits < 16 else "OW"
if wanted["rle"]:
    # The encoder of GDCM stops at odd sizes.
    ds.compress(RLELossless, encoding_plugin="pydicom")
ds.save_as(sys.argv[1], write_like_original=False)
labels.tofile(sys.argv[2])
