"""Reads a SEG with pydicom and prints, as JSON, what an independent reader sees: labels by source slice and frame positions."""
import json
import sys

import pydicom

ds = pydicom.dcmread(sys.argv[1])
pixels = ds.pixel_array
if pixels.ndim == 2:
    pixels = pixels[None]
frames = []
names = ["ReferencedSOPInstanceUID", "ReferencedFrameNumber"]
for group, plane in zip(ds.PerFrameFunctionalGroupsSequence, pixels):
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    frames.append(
        {
            "segment": int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber),
            "source": ":".join(str(source[k].value) for k in names if k in source),
            "position": [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient],
            "voxels": [int(i) for i in plane.reshape(-1).nonzero()[0]],
        }
    )
shared = ds.SharedFunctionalGroupsSequence[0]
measures = shared.PixelMeasuresSequence[0]
print(
    json.dumps(
        {
            "rows": int(ds.Rows),
            "columns": int(ds.Columns),
            "orientation": [float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient],
            "spacing": [float(v) for v in measures.PixelSpacing],
            "sliceSpacing": float(measures.SpacingBetweenSlices) if "SpacingBetweenSlices" in measures else None,
            "frames": frames,
            "dimensions": [
                [f"{int(row.DimensionIndexPointer):08X}", f"{int(row.FunctionalGroupPointer):08X}"]
                for row in ds.DimensionIndexSequence
            ],
            "segments": [
                {
                    "number": int(s.SegmentNumber),
                    "label": str(s.SegmentLabel),
                    "meaning": str(s.SegmentedPropertyTypeCodeSequence[0].CodeMeaning),
                    "trackingId": str(s.TrackingID),
                    "type": str(s.SegmentAlgorithmType),
                    "version": str(s.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion),
                    "tracking": str(s.TrackingUID),
                }
                for s in ds.SegmentSequence
            ],
            "patientName": str(ds.PatientName),
            "studyDescription": str(ds.get("StudyDescription", "")),
            "seriesDescription": str(ds.SeriesDescription),
            "contentDescription": str(ds.ContentDescription),
            "studyUid": str(ds.StudyInstanceUID),
        }
    )
)
