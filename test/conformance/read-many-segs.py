"""Reads SEGs with pydicom. Standard input: lines of JSON {"path", "slices", "positions"}, the source slices in their order and
where each lies (LPS mm). BINARY and LABELMAP. Prints for each a line of JSON: sha256 of the labels on these slices, and how far frames lie beside them."""
import hashlib
import json
import sys

import numpy
import pydicom

names = ["ReferencedSOPInstanceUID", "ReferencedFrameNumber"]
for line in sys.stdin:
    wanted = json.loads(line)
    ds = pydicom.dcmread(wanted["path"])
    at = {name: k for k, name in enumerate(wanted["slices"])}
    labels = numpy.zeros((len(at), ds.Rows, ds.Columns), numpy.uint8)
    pixels = ds.pixel_array
    if pixels.ndim == 2:
        pixels = pixels[None]
    off = 0.0
    for group, plane in zip(ds.PerFrameFunctionalGroupsSequence, pixels):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        name = ":".join(str(source[name].value) for name in names if name in source)
        # Some writers number the only frame of an object of one image.
        k = at[name] if name in at else at[str(source.ReferencedSOPInstanceUID)]
        position = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
        off = max(off, max(abs(a - b) for a, b in zip(position, wanted["positions"][k])))
        if ds.SegmentationType == "LABELMAP":
            labels[k] = plane
            continue
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        labels[k][2 * plane.astype(int) >= ds.get("MaximumFractionalValue", 1)] = number
    print(json.dumps({"sha256": hashlib.sha256(labels.tobytes()).hexdigest(), "offMm": off}), flush=True)
