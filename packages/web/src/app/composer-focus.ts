/** Lets a key of the shell reach the composer of whatever page is open. */
class ComposerFocus {
  #focus: (() => void) | undefined;
  #isForNext = false;

  register(focus: () => void): () => void {
    this.#focus = focus;
    if (this.#isForNext) focus();
    this.#isForNext = false;
    return () => {
      if (this.#focus === focus) this.#focus = undefined;
    };
  }

  focus(): void {
    this.#focus?.();
  }

  /** For the page that is about to open. */
  focusNext(): void {
    this.#isForNext = true;
  }
}

export const composerFocus = new ComposerFocus();
