"""study-io-peer.py URL USERNAME PASSWORD: the same work as study-io-child.ts with urllib, pydicom and numpy."""
import base64
import io
import json
import sys
import time
import urllib.request

import numpy
import pydicom

url, username, password = sys.argv[1:4]
authorization = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def read(address):
    path = f"{url}/studies/{address['studyInstanceUid']}/series/{address['seriesInstanceUid']}"
    request = urllib.request.Request(path, headers={"Accept": accept, "Authorization": authorization})
    with urllib.request.urlopen(request) as answer:
        boundary = answer.headers.get_param("boundary")
        body = answer.read()
    datasets = []
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        start = part.index(b"\r\n\r\n") + 4
        datasets.append(pydicom.dcmread(io.BytesIO(part[start:-2])))
    first = datasets[0].ImageOrientationPatient
    normal = numpy.cross(first[:3], first[3:])
    datasets.sort(key=lambda d: float(numpy.dot(d.ImagePositionPatient, normal)))
    slices = []
    for d in datasets:
        slope, intercept = float(d.get("RescaleSlope", 1)), float(d.get("RescaleIntercept", 0))
        slices.append((d.pixel_array * slope + intercept).astype(numpy.int16))
    return numpy.stack(slices)


for line in sys.stdin:
    started = time.perf_counter()
    volume = read(json.loads(line))
    print(json.dumps({"ms": 1000 * (time.perf_counter() - started), "voxels": int(volume.size)}), flush=True)
