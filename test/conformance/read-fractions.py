"""Reads a FRACTIONAL SEG with pydicom and prints, as JSON, its kind and what each frame holds: segment, source, values other than 0."""
import json
import sys

import pydicom

ds = pydicom.dcmread(sys.argv[1])
frames = []
for group, plane in zip(ds.PerFrameFunctionalGroupsSequence, ds.pixel_array):
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    values = plane.reshape(-1)
    frames.append(
        {
            "segment": int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber),
            "source": str(source.ReferencedSOPInstanceUID),
            "values": [[int(i), int(values[i])] for i in values.nonzero()[0]],
        }
    )
print(json.dumps({"fraction": ds.SegmentationFractionalType, "most": int(ds.MaximumFractionalValue), "overlap": ds.SegmentsOverlap, "frames": frames}))
