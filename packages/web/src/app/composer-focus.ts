/** Lets a key of the shell reach the composer of whatever page is open. */
class ComposerFocus {
  #focus: (() => void) | undefined;

  register(focus: () => void): () => void {
    this.#focus = focus;
    return () => {
      if (this.#focus === focus) this.#focus = undefined;
    };
  }

  focus(): void {
    this.#focus?.();
  }
}

export const composerFocus = new ComposerFocus();
