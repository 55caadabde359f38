// What on a phone a finger cannot hit or an eye cannot see whole.
import type { Page } from "@playwright/test";

/** A finger needs that much, in CSS pixels. */
const FINGER_PX = 40;

/**
 * Fields and what looks like a button, and is too low or too narrow; and every control that sticks out of the window where
 * nothing scrolls. Links and rows are as high as their text, and wide.
 */
export async function cramped(page: Page): Promise<string[]> {
  return await page.evaluate((least) => {
    const scrolls = (element: Element): boolean => {
      for (let at = element.parentElement; at; at = at.parentElement) {
        if (/auto|scroll/.test(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth) return true;
      }
      return false;
    };
    const shown = document.querySelector("dialog[open]") ?? document;
    const controls = shown.querySelectorAll("a, button, select, textarea, summary, input");
    return [...controls].flatMap((control) => {
      const { display, borderTopWidth, borderLeftWidth, backgroundColor } = getComputedStyle(control);
      const own = control.getBoundingClientRect();
      const isSeen = control.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && own.width > 1;
      // A mark on a scale is where it is, and small: what it marks stands in a list, too.
      const isMark = control.matches("[style*=left]");
      if (!isSeen || isMark || display === "inline") return [];
      const isFramed = borderTopWidth !== "0px" && borderLeftWidth !== "0px";
      const isButton = isFramed || (backgroundColor !== "rgba(0, 0, 0, 0)" && own.width < innerWidth / 2);
      const isToHit = /SELECT|TEXTAREA|INPUT/.test(control.tagName) || isButton;
      // What enlarges where it can be hit, and nothing that is seen.
      const after = getComputedStyle(control, "::after");
      const more = after.position === "absolute" ? -Number.parseFloat(after.top) * 2 : 0;
      const label = control.closest("label")?.getBoundingClientRect();
      const height = Math.max(own.height + (more || 0), label?.height ?? 0);
      const width = Math.max(own.width + (more || 0), label?.width ?? 0);
      const name = `${control.tagName.toLowerCase()} “${control.getAttribute("aria-label") ?? control.textContent?.slice(0, 40)}”`;
      return [
        ...(isToHit && Math.round(height) < least ? [`${name} is ${Math.round(height)} px high`] : []),
        ...(isToHit && Math.round(width) < least ? [`${name} is ${Math.round(width)} px wide`] : []),
        ...((own.right > innerWidth + 1 || own.left < -1) && !scrolls(control) ? [`${name} sticks out`] : []),
      ];
    });
  }, FINGER_PX);
}
