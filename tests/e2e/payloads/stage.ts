import assert from 'node:assert/strict';
import type { Locator } from 'playwright-core';
import { type BrowserRig, eventually } from '../browser-rig.ts';
import { SCRIPT_PAYLOADS } from '../script-payloads.ts';
import { assertHarmless, type WatchedPage, watchedDevice, wordsOf } from '../watched-page.ts';
import { HostileWords } from './hostile-words.ts';
import { fieldsAt, type Place, SHOWN } from './shown-fields.ts';
import { StoredRows } from './stored-rows.ts';

/** How many payloads each field takes. */
const FEWEST = 300;

interface Looking {
  /** Where on the page; all of it when left out. */
  readonly part?: Locator;
  /** What was shown before, where not all of it is there at once. */
  readonly before?: string;
  /** What a payload looks like there. */
  readonly shownAs?: (field: string, payload: string) => string;
}

/** The product of all tests, with the words that are put into it and the places where they were seen. */
export class Stage {
  readonly rig: BrowserRig;
  readonly rows: StoredRows;
  readonly words = new HostileWords(SCRIPT_PAYLOADS, [...SHOWN.keys()]);
  readonly seen = new Set<Place>();

  private constructor(rig: BrowserRig, rows: StoredRows) {
    this.rig = rig;
    this.rows = rows;
  }

  static async open(rig: BrowserRig): Promise<Stage> {
    return new Stage(rig, await StoredRows.open(rig.product));
  }

  /** A page at this address, watched: a new one, or the one that there is. */
  async visit(path = '/', watched?: WatchedPage): Promise<WatchedPage> {
    const visited = watched ?? (await watchedDevice(this.rig));
    await visited.device.open(path);
    return visited;
  }

  /** All words of a page that shows only some of what its place shows. Nothing of it has done anything. */
  async hears(watched: WatchedPage, part: Locator = watched.device.page.locator('body')): Promise<string> {
    await assertHarmless(watched, watched.device.path);
    return wordsOf(part);
  }

  /** Every field of the place shows every payload, letter by letter, and none has done anything. */
  async sees(place: Place, watched: WatchedPage, { part = watched.device.page.locator('body'), before = '', shownAs }: Looking = {}): Promise<void> {
    const fields = fieldsAt(place);
    assert.ok(fields.length > 0 && this.words.count >= FEWEST, place);
    await eventually(async () => {
      const shown = this.words.shownIn(`${before}\n${await wordsOf(part)}`, shownAs);
      const missing = fields.flatMap((field) => {
        const left = this.words.missing(field, shown.get(field));
        return left.length === 0 ? [] : [`${field}: not ${left.length}, such as ${left.slice(0, 3).join(' and ')}`];
      });
      assert.deepEqual(missing, [], place);
    });
    await assertHarmless(watched, place);
    this.seen.add(place);
  }
}
