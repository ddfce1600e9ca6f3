/** Renders SVG text to PNG bytes at twice its size. */
import { Resvg } from "@resvg/resvg-js";

// Where none of a picture's families is installed, text would be drawn in whatever font comes first.
const font = { loadSystemFonts: true, defaultFontFamily: "DejaVu Sans", sansSerifFamily: "DejaVu Sans" };

export function svgToPng(svg: string): Uint8Array {
  return new Resvg(svg, { fitTo: { mode: "zoom", value: 2 }, font }).render().asPng();
}
