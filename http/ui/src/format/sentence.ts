// What the server says of a failure begins in lower case, as it may stand within a sentence. Pure.

/** With a capital where it begins with a word; a path, a command or a name stays as it is written. */
export function sentence(text: string): string {
  const first = /^\p{Ll}+(?=[,;:]?(?:\s|$))/u.exec(text)?.[0];
  if (first === undefined || first === "regatta") return text;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
