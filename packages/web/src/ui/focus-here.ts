/** As a `ref`, of a stable identity: called once, when the element is there. For what takes the place of that which had the focus. */
export function focusHere(element: HTMLElement | null): void {
  element?.focus();
}
