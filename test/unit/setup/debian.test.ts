import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUris } from '../../../server/src/setup/debian.ts';

const printed = `Reading package lists...
Need to get 3028 kB of archives.
'http://deb.example/o/orthanc_1.10.1%2bdfsg-2_amd64.deb' orthanc_1.10.1+dfsg-2_amd64.deb 1686548 MD5Sum:a2
'http://deb.example/l/libaudit_3.0.9-1_amd64.deb' libaudit1_1%3a3.0.9-1_amd64.deb 44000 SHA256:b3
'http://deb.example/g/libc6_2.36_amd64.deb' libc6_2.36-9_amd64.deb 2700000 SHA256:c4
'http://deb.example/m/mricron-data_1.2_all.deb' mricron-data_1.2_all.deb 9 SHA256:d5
`;

test('archives are read with the epoch of their version, and the C library stays the one of the machine', () => {
  assert.deepEqual(parseUris(printed), [
    { name: 'orthanc', version: '1.10.1+dfsg-2', sizeBytes: 1686548 },
    { name: 'libaudit1', version: '1:3.0.9-1', sizeBytes: 44000 },
    { name: 'mricron-data', version: '1.2', sizeBytes: 9 },
  ]);
});

test('text without an archive gives none', () => {
  assert.deepEqual(parseUris('E: Unable to locate package orthanc\n'), []);
});
