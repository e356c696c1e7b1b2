import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const css = readFileSync(new URL('../styles.css', import.meta.url), 'utf8');
const tokens = new Map([...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(([, name, light, dark]) => [name, { light, dark }]));

const SURFACES = ['bg', 'panel', 'raised', 'hover', 'bubble'];
/** Which text stands on what. A disabled button is `faint` on `hover`. */
const PAIRS: readonly [text: string, surfaces: readonly string[]][] = [
  ['text', [...SURFACES, 'accent-soft', 'good-soft', 'bad-soft']],
  ['muted', [...SURFACES, 'warn-soft']],
  ['faint', SURFACES],
  ['on-accent', ['accent']],
  ['accent-ink', ['bg', 'panel', 'raised', 'accent-soft']],
  ['warn', ['bg', 'panel', 'raised', 'warn-soft']],
  ['good', ['bg', 'panel', 'raised', 'good-soft']],
  ['bad', ['bg', 'panel', 'raised', 'bad-soft']],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((index): [string, string[]] => [`ansi-${index}`, ['panel', 'raised']]),
];

/** As WCAG 2.2 defines relative luminance and contrast ratio. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

for (const scheme of ['light', 'dark'] as const) {
  test(`U28: every text of the palette has a contrast of 4.5 to 1 on what it stands on, in ${scheme}`, () => {
    const weak = PAIRS.flatMap(([text, surfaces]) =>
      surfaces.flatMap((surface) => {
        const [front, back] = [tokens.get(text)?.[scheme], tokens.get(surface)?.[scheme]];
        assert.ok(front !== undefined && back !== undefined, `${text} or ${surface} is not in styles.css`);
        const ratio = contrast(front, back);
        return ratio < 4.5 ? [`${text} on ${surface}: ${ratio.toFixed(2)}`] : [];
      }),
    );
    assert.deepEqual(weak, []);
  });
}
