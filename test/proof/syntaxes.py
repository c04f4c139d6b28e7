"""Images of every kind in every transfer syntax, made by the encoders of others.

syntaxes.py FOLDER    writes the files below FOLDER and prints [{"kind", "syntax", "encoder", "file", "truth", "range", "lossless"}]

`truth`: the stored values that a right decoder gives, little-endian int32, frame by frame: the original's where nothing
was lost, else what the decoder of the encoder's own makers gives, which may lie beyond `range`. Encoders: dcmtk, gdcm, OpenJPEG and OpenJPH of Debian,
pydicom for the headers. What an encoder refuses is left out; the caller counts.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import write_file_meta_info
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

CT, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4.1"
#            rows cols allocated stored high signed photometric frames
KINDS = {
    "8 bits, odd size": (47, 61, 8, 8, 7, 0, "MONOCHROME2", 1),
    "8 bits, MONOCHROME1": (48, 64, 8, 8, 7, 0, "MONOCHROME1", 1),
    "12 bits unsigned": (47, 61, 16, 12, 11, 0, "MONOCHROME2", 1),
    "12 bits signed": (48, 64, 16, 12, 11, 1, "MONOCHROME2", 1),
    "16 bits unsigned": (48, 64, 16, 16, 15, 0, "MONOCHROME2", 1),
    "16 bits signed": (47, 61, 16, 16, 15, 1, "MONOCHROME2", 1),
    "10 bits in the high ones": (48, 64, 16, 10, 15, 0, "MONOCHROME2", 1),
    "three frames of 12 bits": (48, 64, 16, 12, 11, 0, "MONOCHROME2", 3),
}


def values_of(rows, cols, stored, signed, frames):
    """A slope, rings and noise over the whole range, with its ends in the corners."""
    random = np.random.default_rng(rows * 100 + stored)
    low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if signed else (0, 2**stored - 1)
    y, x = np.mgrid[0:rows, 0:cols]
    found = []
    for frame in range(frames):
        wave = 0.5 + 0.4 * np.sin(np.hypot(y - rows / 2, x - cols / 3) / (3 + frame)) + 0.05 * random.standard_normal((rows, cols))
        values = np.clip(np.rint(low + wave * (high - low)), low, high).astype(np.int32)
        values[0, 0], values[-1, -1] = low, high
        found.append(values)
    return np.stack(found)


def dataset(kind, path):
    rows, cols, allocated, stored, high, signed, photometric, frames = KINDS[kind]
    values = values_of(rows, cols, stored, signed, frames)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ENHANCED_MR if frames > 1 else CT
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    d.is_little_endian, d.is_implicit_VR = True, False
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = generate_uid(), generate_uid(), generate_uid()
    d.Modality, d.PatientID, d.PatientName = ("MR" if frames > 1 else "CT"), "made", "Made^Up"
    d.InstanceNumber = 1
    d.Rows, d.Columns, d.SamplesPerPixel, d.PhotometricInterpretation = rows, cols, 1, photometric
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = allocated, stored, high, signed
    if frames == 1:
        place(d, d, d, 0)
        d.RescaleIntercept, d.RescaleSlope = "0", "1"
    else:
        d.NumberOfFrames = frames
        d.PerFrameFunctionalGroupsSequence = Sequence([group(n) for n in range(frames)])
        d.SharedFunctionalGroupsSequence = Sequence([Dataset()])
    words = (values << (high - stored + 1)).astype(np.uint16 if not signed else np.int16)
    raw = words.astype(np.uint8).tobytes() if allocated == 8 else words.astype("<i2" if signed else "<u2").tobytes()
    d.PixelData = raw + b"\0" * (len(raw) % 2)
    d["PixelData"].VR = "OB" if allocated == 8 else "OW"
    d.save_as(path, write_like_original=False)
    return values


def place(position, orientation, measures, n):
    position.ImagePositionPatient = [0, 0, 2 * n]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing = [1, 1]


def group(n):
    parts = [Dataset(), Dataset(), Dataset()]
    place(*parts, n)
    g = Dataset()
    g.PlanePositionSequence, g.PlaneOrientationSequence, g.PixelMeasuresSequence = (Sequence([part]) for part in parts)
    return g


def run(*command):
    """Whether a program did what it was asked."""
    return subprocess.run([str(part) for part in command], capture_output=True).returncode == 0


def stored_values(path):
    """As dcmtk's or gdcm's own decoder left them: uncompressed, hence only unpacked here."""
    d = pydicom.dcmread(path)
    array = d.pixel_array.reshape(int(d.get("NumberOfFrames", 1)), d.Rows, d.Columns)
    return array.astype(np.int32)


def wrap(source, target, syntax, frames):
    """A DICOM file of codestreams. This pydicom does not know every syntax, so the meta information is put before by hand."""
    d = pydicom.dcmread(source)
    d.file_meta.TransferSyntaxUID = JPEG2000Lossless
    d.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in frames])
    d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
    d.save_as(target, write_like_original=False)
    # Preamble, prefix, the group length and its 12 bytes: what it counts comes behind.
    body = target.read_bytes()[144 + d.file_meta.FileMetaInformationGroupLength :]
    d.file_meta.TransferSyntaxUID = syntax
    with open(target, "wb") as file:
        file.write(b"\0" * 128 + b"DICM")
        write_file_meta_info(file, d.file_meta)
        file.write(body)


def codestreams(kind, values, folder, encode):
    """Frames compressed one by one by a program that knows no DICOM; None where it refuses."""
    _, _, allocated, stored, _, signed, *_ = KINDS[kind]
    found = []
    for n, frame in enumerate(values):
        raw, coded, decoded = folder / f"{n}.raw", folder / f"{n}.j2c", folder / f"{n}-decoded.raw"
        frame.astype(("<i1" if signed else "<u1") if allocated == 8 else ("<i2" if signed else "<u2")).tofile(raw)
        frame.astype(">u2" if stored > 8 else "u1").tofile(folder / f"{n}.body")
        head = f"P5\n{frame.shape[1]} {frame.shape[0]}\n{2**stored - 1}\n".encode()
        (folder / f"{n}.pgm").write_bytes(head + (folder / f"{n}.body").read_bytes())
        if not encode(raw, folder / f"{n}.pgm", coded, decoded, frame.shape):
            return None
        found.append(coded.read_bytes())
    return found


def lost(path, shape, stored, signed):
    """A decoder's raw output; OpenJPEG leaves out the bits above those stored, the sign's copies too."""
    width = path.stat().st_size // (shape[0] * shape[1])
    values = np.fromfile(path, f"<u{width}").reshape(shape).astype(np.int32)
    sign = 1 << (stored - 1)
    return ((values & (2 * sign - 1)) ^ sign) - sign if signed else values


def openjpeg(stored, signed, lossy):
    def encode(raw, pgm, coded, decoded, shape):
        target = coded.with_suffix(".j2k")
        layout = f"{shape[1]},{shape[0]},1,{stored},{'s' if signed else 'u'}"
        # Its .raw is big-endian, .rawl little-endian.
        source = raw.rename(raw.with_suffix(".rawl"))
        done = run("opj_compress", "-i", source, "-o", target, "-F", layout, "-n", 3, *(["-I", "-r", 6] if lossy else []))
        if not done or not run("opj_decompress", "-i", target, "-o", decoded.with_suffix(".rawl")):
            return False
        decoded.with_suffix(".rawl").rename(decoded)
        target.rename(coded)
        return True

    return encode


def openjph(signed, lossy, order):
    def encode(raw, pgm, coded, decoded, shape):
        if signed:
            return False
        how = ["-qstep", 0.001] if lossy else ["-reversible", "true"]
        done = run("ojph_compress", "-i", pgm, "-o", coded, "-prog_order", order, "-num_decomps", 3, *how)
        if not done or not run("ojph_expand", "-i", coded, "-o", decoded.with_suffix(".pgm")):
            return False
        body = decoded.with_suffix(".pgm").read_bytes().split(b"\n", 3)
        np.frombuffer(body[3], ">u2" if int(body[2]) > 255 else "u1").astype("<u2").tofile(decoded)
        return True

    return encode


def main():
    folder = Path(sys.argv[1])
    rows = []
    for number, kind in enumerate(KINDS):
        own = folder / str(number)
        own.mkdir(parents=True)
        original = own / "original.dcm"
        values = dataset(kind, original)
        _, _, _, stored, high, signed, _, frames = KINDS[kind]

        def keep(encoder, file, truth=None):
            name = file.with_suffix(".truth")
            (values if truth is None else truth).astype("<i4").tofile(name)
            syntax = pydicom.dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID
            rows.append({"kind": kind, "syntax": str(syntax), "encoder": encoder, "file": str(file), "truth": str(name), "range": [int(values.min()), int(values.max())], "lossless": truth is None})

        def by(encoder, name, *command, back=None):
            file, plain = own / f"{name}.dcm", own / f"{name}-plain.dcm"
            if not run(*command, original, file):
                return
            if back is None:
                return keep(encoder, file)
            if not run(*back, file, plain):
                raise SystemExit(f"{back[0]} does not read what {encoder} made of {kind}")
            keep(encoder, file, stored_values(plain))

        for option in ("+ti", "+te", "+tb", "+td"):
            by("dcmtk", f"dcmconv{option}", "dcmconv", option)
        if high != stored - 1:
            continue
        by("dcmtk", "dcmcrle", "dcmcrle")
        for option in ("+e1", "+el"):
            by("dcmtk", f"dcmcjpeg{option}", "dcmcjpeg", option)
        if not signed and stored <= 12:
            for option in ("+eb", "+ee") if stored == 8 else ("+ee",):
                by("dcmtk", f"dcmcjpeg{option}", "dcmcjpeg", option, back=["dcmdjpeg"])
        by("dcmtk", "dcmcjpls", "dcmcjpls")
        by("dcmtk", "dcmcjpls-near", "dcmcjpls", "+en", back=["dcmdjpls"])
        for option in ("--rle", "--jpeg", "--jpegls", "--j2k"):
            by("gdcm", f"gdcm{option}", "gdcmconv", option)
        by("gdcm", "gdcm-j2k-lossy", "gdcmconv", "-K", "-Y", "-q", 60, back=["gdcmconv", "--raw"])
        by("gdcm", "gdcm-jpegls-lossy", "gdcmconv", "-L", "-Y", "-e", 2, back=["gdcmconv", "--raw"])
        wrapped = {
            "OpenJPEG": ("1.2.840.10008.1.2.4.90", openjpeg(stored, signed, False), False),
            "OpenJPEG, lossy": ("1.2.840.10008.1.2.4.91", openjpeg(stored, signed, True), True),
            "OpenJPH": ("1.2.840.10008.1.2.4.201", openjph(signed, False, "LRCP"), False),
            "OpenJPH, RPCL": ("1.2.840.10008.1.2.4.202", openjph(signed, False, "RPCL"), False),
            "OpenJPH, lossy": ("1.2.840.10008.1.2.4.203", openjph(signed, True, "RPCL"), True),
        }
        for encoder, (syntax, encode, lossy) in wrapped.items():
            place_of = own / encoder.replace(", ", "-")
            place_of.mkdir()
            coded = codestreams(kind, values, place_of, encode)
            if coded is None:
                continue
            file = place_of / "image.dcm"
            wrap(original, file, syntax, coded)
            if not lossy:
                keep(encoder, file)
                continue
            decoded = [lost(place_of / f"{n}-decoded.raw", values[0].shape, stored, signed) for n in range(frames)]
            keep(encoder, file, np.stack(decoded))
    print(json.dumps(rows))


main()
