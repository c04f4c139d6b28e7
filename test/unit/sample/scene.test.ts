import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { drawScene } from '../../../server/src/sample/scene.ts';

for (const space of [
  [40, 32],
  [24, 20, 16],
]) {
  test(`a picture of nothing of ${space.join(' x ')} is within 0 and 1, shows something, and is no other's`, () => {
    const scenes = Array.from({ length: 60 }, (_, n) => drawScene(space, Random.for(n, 'scene')));
    for (const scene of scenes) {
      assert.equal(
        scene.length,
        space.reduce((a, b) => a * b),
      );
      assert.ok(scene.every((value) => value >= 0 && value <= 1));
      assert.ok(scene.some((value) => value > 0));
    }
    assert.equal(new Set(scenes.map((scene) => scene.join())).size, scenes.length);
    assert.deepEqual(drawScene(space, Random.for(7, 'scene')), scenes[7]);
    const withAir = scenes.filter((scene) => scene.filter((value) => value === 0).length > 0.2 * scene.length);
    assert.ok(withAir.length > 20 && withAir.length < 58, `${withAir.length} stand in air`);
  });
}
