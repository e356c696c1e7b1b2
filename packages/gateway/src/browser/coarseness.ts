/*
 *   finest ──a picture is too large──► coarser ──too large──► coarsest
 *      ▲                                  │
 *      └── ROOMY_PICTURES in a row would fit by far as the finer ones that they would be
 */

export interface Grain {
  readonly quality: number;
  readonly mostPixels: number;
  /** A picture of at most this part of the limit would surely fit if it were one step finer. */
  readonly roomyPart: number;
}

const GRAINS: readonly [Grain, ...Grain[]] = [
  { quality: 50, mostPixels: 1_280, roomyPart: 0 },
  { quality: 30, mostPixels: 1_280, roomyPart: 1 / 4 },
  // Four times as many pixels when it is finer, at another quality.
  { quality: 10, mostPixels: 640, roomyPart: 1 / 16 },
];
const ROOMY_PICTURES = 2;

/** How coarse pictures are taken, so that each fits: coarser at once, finer again step by step. */
export class Coarseness {
  readonly #mostCharacters: number;
  #step = 0;
  #roomy = 0;

  constructor(mostCharacters: number) {
    this.#mostCharacters = mostCharacters;
  }

  get grain(): Grain {
    return GRAINS[this.#step] ?? GRAINS[0];
  }

  /** Looks at how large a picture has become. `coarser` or `finer` when those that follow are to be taken so. */
  weigh(characters: number): 'coarser' | 'finer' | 'same' {
    if (characters > this.#mostCharacters) return this.#to(Math.min(this.#step + 1, GRAINS.length - 1));
    this.#roomy = characters <= this.#mostCharacters * this.grain.roomyPart ? this.#roomy + 1 : 0;
    return this.#roomy < ROOMY_PICTURES ? 'same' : this.#to(this.#step - 1);
  }

  #to(step: number): 'coarser' | 'finer' | 'same' {
    const before = this.#step;
    this.#step = step;
    this.#roomy = 0;
    if (step === before) return 'same';
    return step > before ? 'coarser' : 'finer';
  }
}
