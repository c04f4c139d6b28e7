import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadSettings, maskSettings, variableOf } from '../../../server/src/config/load.ts';
import { settingsSchema } from '../../../server/src/config/schema.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';

describe('settings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'uncol-config-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = (text: string): string => {
    const path = join(folder, `${Math.random()}.json`);
    writeFileSync(path, text);
    return path;
  };
  const problems = (environment: Record<string, string>): string => {
    try {
      loadSettings(environment);
    } catch (error) {
      assert.ok(error instanceof AppError && error.code === 'config-invalid');
      return error.message;
    }
    return assert.fail('the settings were accepted');
  };

  it('defaults need nothing, and lie below the user data folder', () => {
    const settings = loadSettings({ XDG_DATA_HOME: '/data' });
    assert.equal(settings.home, '/data/uncol');
    assert.deepEqual([settings.host, settings.port, settings.samples], ['127.0.0.1', 8190, true]);
    assert.ok(Object.isFrozen(settings));
  });

  it('the environment wins over the file, and the file over the default', () => {
    const path = file('{"port": 9000, "idleSeconds": 5, "samples": false}');
    const settings = loadSettings({ UNCOL_CONFIG_FILE: path, UNCOL_PORT: '9001' });
    assert.deepEqual([settings.port, settings.idleSeconds, settings.samples], [9001, 5, false]);
  });

  it('names every problem at once, with the value seen', () => {
    const message = problems({
      UNCOL_PORT: '70000',
      UNCOL_PROMOTION: 'maybe',
      UNCOL_ENGINE: 'fast',
      UNCOL_PORTT: '1',
      UNCOL_CONFIG_FILE: file('{"colour": "red"}'),
    });
    for (const part of [
      'UNCOL_PORT',
      '70000',
      'UNCOL_PROMOTION',
      'maybe',
      'UNCOL_ENGINE',
      'fast',
      'UNCOL_PORTT is not a setting',
      'colour',
    ]) {
      assert.ok(message.includes(part), `${part} is missing in: ${message}`);
    }
  });

  it('refuses a file that is not there, not JSON, or not an object', () => {
    assert.match(problems({ UNCOL_CONFIG_FILE: '/nowhere.json' }), /cannot be read/);
    assert.match(problems({ UNCOL_CONFIG_FILE: file('{') }), /not JSON/);
    assert.match(problems({ UNCOL_CONFIG_FILE: file('[]') }), /one JSON object/);
  });

  it('refuses to listen beyond loopback without an issuer', () => {
    assert.match(problems({ UNCOL_HOST: '0.0.0.0' }), /UNCOL_OIDC_ISSUER/);
    const open = loadSettings({ UNCOL_HOST: '0.0.0.0', UNCOL_OIDC_ISSUER: 'https://idp.example' });
    assert.equal(open.host, '0.0.0.0');
  });

  it('refuses run lengths for single bits, which the standard does not have', () => {
    assert.match(problems({ UNCOL_SEG_PIXELS: 'rle' }), /UNCOL_SEG_PIXELS rle needs UNCOL_SEG_TYPE labelmap/);
    const settings = loadSettings({ UNCOL_SEG_PIXELS: 'rle', UNCOL_SEG_TYPE: 'labelmap' });
    assert.deepEqual([settings.segType, settings.segPixels], ['labelmap', 'rle']);
  });

  it('takes a profile only of a PACS that it is told of', () => {
    assert.match(problems({ UNCOL_PACS_PROFILE: 'google' }), /UNCOL_PACS_PROFILE needs UNCOL_PACS_URL/);
    const found = problems({ UNCOL_PACS_PROFILE: 'none', UNCOL_PACS_URL: 'https://pacs/dw' });
    assert.match(found, /UNCOL_PACS_PROFILE: .*aws-healthimaging.*seen "none"/);
    const settings = loadSettings({ UNCOL_PACS_PROFILE: 'google', UNCOL_PACS_URL: 'https://pacs/dw' });
    assert.equal(settings.pacsProfile, 'google');
  });

  it('never prints a secret, also not one inside a URL or a problem', () => {
    const settings = loadSettings({
      DATABASE_URL: 'postgres://u:hidden@h/d',
      UNCOL_PACS_URL: 'http://u:hidden@pacs/dw',
    });
    assert.doesNotMatch(JSON.stringify(maskSettings(settings)), /hidden/);
    assert.doesNotMatch(problems({ DATABASE_URL: 'postgres://u:hidden@h/d', UNCOL_PORT: 'x' }), /hidden/);
  });

  it('each setting has a variable of its own and a line of documentation', () => {
    const entries = Object.entries(settingsSchema.shape);
    const variables = new Set(entries.map(([key]) => variableOf(key as keyof typeof settingsSchema.shape)));
    assert.equal(variables.size, entries.length);
    for (const [key, schema] of entries) assert.ok(schema.description, `${key} is not described`);
  });
});
