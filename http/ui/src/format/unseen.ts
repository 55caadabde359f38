// Characters nobody sees, and those that have text read in another order than it stands: shown by their numbers, so that
// a person who decides reads what a compiler reads (CVE-2021-42574). Not the joiners inside words and emoji.
const UNSEEN = /(?![\t\n\r\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]|\r(?!$)/gu;

/** The text with what cannot be seen shown, as `‹U+202E›`. */
export function seen(text: string): string {
  return text.replace(
    UNSEEN,
    (unseen) => `‹U+${(unseen.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}›`,
  );
}
