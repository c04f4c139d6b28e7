"""Reads a NIfTI image with nibabel and prints, as JSON, its affines (RAS mm), codes, intent and the non-zero voxels."""
import json
import sys

import nibabel
import numpy

image = nibabel.load(sys.argv[1])
header = image.header
# Fortran order: the first index runs fastest, as in the file.
voxels = numpy.asarray(image.dataobj).reshape(-1, order="F")
qform, qcode = header.get_qform(coded=True)
print(
    json.dumps(
        {
            "shape": list(image.shape),
            "sform": image.affine.tolist(),
            "qform": None if qform is None else qform.tolist(),
            "intent": header.get_intent()[0],
            "description": header["descrip"].item().decode(),
            "voxels": [[int(n), int(voxels[n])] for n in voxels.nonzero()[0]],
        }
    )
)
