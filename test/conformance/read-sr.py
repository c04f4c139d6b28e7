"""Reads a measurement report with pydicom and prints, as JSON, what an independent reader sees: groups, references, flags."""
import json
import sys

import pydicom

ds = pydicom.dcmread(sys.argv[1])


def named(parent, value):
    return [item for item in parent.ContentSequence if "ConceptNameCodeSequence" in item and item.ConceptNameCodeSequence[0].CodeValue == value]


def one(parent, value):
    (item,) = named(parent, value)
    return item


def group(item):
    segment = one(item, "121191").ReferencedSOPSequence[0]
    volume = one(item, "118565006").MeasuredValueSequence[0]
    return {
        "trackingId": one(item, "112039").TextValue,
        "trackingUid": one(item, "112040").UID,
        "finding": one(item, "121071").ConceptCodeSequence[0].CodeValue,
        "segClass": segment.ReferencedSOPClassUID,
        "seg": segment.ReferencedSOPInstanceUID,
        "segment": int(segment.ReferencedSegmentNumber),
        "series": one(item, "121232").UID,
        "parameters": one(item, "111002").TextValue,
        "ml": float(volume.NumericValue),
        "unit": volume.MeasurementUnitsCodeSequence[0].CodeValue,
        "centre": [float(v) for v in one(item, "111010").GraphicData],
        "comment": one(item, "121106").TextValue,
        "template": item.ContentTemplateSequence[0].TemplateIdentifier,
    }


measurements = [g for container in named(ds, "126010") for g in named(container, "125007")]
library = one(one(ds, "111028"), "126200")
print(
    json.dumps(
        {
            "sopClass": ds.SOPClassUID,
            "sopUid": ds.SOPInstanceUID,
            "seriesUid": ds.SeriesInstanceUID,
            "studyUid": ds.StudyInstanceUID,
            "template": ds.ContentTemplateSequence[0].TemplateIdentifier,
            "patientName": str(ds.PatientName),
            "seriesDescription": ds.SeriesDescription,
            "completion": ds.CompletionFlag,
            "verification": ds.VerificationFlag,
            "groups": [group(item) for item in measurements],
            "library": [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in library.ContentSequence if item.ValueType == "IMAGE"],
            "evidence": {
                series.SeriesInstanceUID: [i.ReferencedSOPInstanceUID for i in series.ReferencedSOPSequence]
                for study in ds.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence
            },
        }
    )
)
