import type { Locator } from 'playwright-core';

/** WCAG's contrast ratio between an element's text and what is behind it, as the browser has computed both; opacity counts. */
export async function contrastOf(locator: Locator): Promise<number> {
  return locator.evaluate((element) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (!canvas) throw new Error('no canvas');
    canvas.canvas.width = canvas.canvas.height = 1;
    const chain: Element[] = [];
    for (let at: Element | null = element; at; at = at.parentElement) chain.unshift(at);
    const paint = (color: string, alpha: number): number[] => {
      canvas.globalAlpha = alpha;
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    let alpha = 1;
    let back = paint('white', 1);
    for (const at of chain) {
      const style = getComputedStyle(at);
      alpha *= Number(style.opacity);
      back = paint(style.backgroundColor, alpha);
    }
    const front = paint(getComputedStyle(element).color, alpha);
    const luminance = (parts: number[]): number => {
      const [red = 0, green = 0, blue = 0] = parts.map((part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const [dark = 0, light = 0] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  });
}
