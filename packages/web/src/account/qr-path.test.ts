import assert from 'node:assert/strict';
import { test } from 'node:test';
import decodeQR from 'qr/decode.js';
import { qrPath } from './qr-path.ts';

const SCALE = 8;

/** What a camera sees of the picture: black squares on white. */
function picture({ size, path }: ReturnType<typeof qrPath>): { width: number; height: number; data: Uint8Array } {
  const width = size * SCALE;
  const data = new Uint8Array(width * width * 4).fill(255);
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let row = 0; row < SCALE; row += 1) {
      const start = ((Number(y) * SCALE + row) * width + Number(x) * SCALE) * 4;
      for (let pixel = 0; pixel < SCALE; pixel += 1) data.fill(0, start + pixel * 4, start + pixel * 4 + 3);
    }
  }
  return { width, height: width, data };
}

test('A22: the picture holds exactly what an app needs, for short and for long addresses', () => {
  for (const account of ['ada@example.org', `${'a'.repeat(240)}@example.org`, 'ädä@münchen.example']) {
    const uri = `otpauth://totp/Tendon:${encodeURIComponent(account)}?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Tendon&digits=6&period=30`;
    assert.equal(decodeQR(picture(qrPath(uri))), uri);
  }
});
