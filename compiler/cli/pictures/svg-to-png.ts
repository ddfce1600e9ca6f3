/** Renders SVG text to PNG bytes at twice its size. */
import { Resvg } from "@resvg/resvg-js";

export function svgToPng(svg: string): Uint8Array {
  return new Resvg(svg, { fitTo: { mode: "zoom", value: 2 }, font: { loadSystemFonts: true } })
    .render()
    .asPng();
}
