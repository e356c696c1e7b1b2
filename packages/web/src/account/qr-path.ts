import { encodeQR } from 'qr';

/** The empty edge that cameras need (ISO/IEC 18004, section 5.3.8). */
const EDGE = 4;

/** A QR code as an SVG path of unit squares, in a picture of `size` by `size`. */
export function qrPath(text: string): { readonly size: number; readonly path: string } {
  const rows = encodeQR(text, 'raw', { border: EDGE, ecc: 'medium' });
  const path = rows.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  return { size: rows.length, path };
}
