import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkDataFormat } from '../../../server/src/registry/data-format.ts';

const segments = [{ number: 1, label: 'brain' }];

test('the data format of a network follows from its card: rows before columns, background first', () => {
  const { inputs, outputs } = networkDataFormat({
    input: { sizePx: [96, 112] },
    filter: { modality: ['MR'] },
    segments,
  });
  assert.deepEqual(inputs.image, {
    ...{ type: 'image', format: 'magnitude', modality: 'MR', num_channels: 1, spatial_shape: [112, 96] },
    ...{ dtype: 'float32', value_range: [0, 1], is_patch_data: false },
    channel_def: { 0: 'image, its intensity window as 0 to 1' },
  });
  const { format, num_channels, channel_def } = outputs.pred;
  assert.deepEqual([format, num_channels, channel_def], ['labels', 2, { 0: 'background', 1: 'brain' }]);
});

test('windows of a volume are patches, and CT is in Hounsfield units', () => {
  const input = { windowVoxels: [96, 80, 48] };
  const { image } = networkDataFormat({ input, filter: { modality: ['CT'] }, segments }).inputs;
  assert.deepEqual([image.spatial_shape, image.is_patch_data, image.format], [[48, 80, 96], true, 'hounsfield']);
});
