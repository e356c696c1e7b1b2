/** The two calls of `localStorage` that are used. Either may throw: storage can be full or switched off. */
export interface DraftStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** What the keys of drafts begin with. */
export const DRAFT_PREFIX = 'tendon:draft:';
/** The place of the message that will start a session. */
export const NEW_SESSION_DRAFT = 'new';

/** What was typed and not sent, per session, over reloads. A storage that fails costs the draft's survival, never the typing. */
export function loadDraft(storage: DraftStorage, place: string): string {
  try {
    return storage.getItem(DRAFT_PREFIX + place) ?? '';
  } catch {
    return '';
  }
}

export function saveDraft(storage: DraftStorage, place: string, text: string): void {
  try {
    if (text === '') storage.removeItem(DRAFT_PREFIX + place);
    else storage.setItem(DRAFT_PREFIX + place, text);
  } catch {
    // Nothing to tell: the text is still in the box.
  }
}

/** Puts a message that was taken back in front of what is being typed; neither is lost. */
export function putBack(draft: string, text: string): string {
  return draft.trim() === '' ? text : `${text}\n\n${draft}`;
}
