// What somebody was typing, per conversation. Kept in this browser, so that a reload loses nothing.

const keyOf = (gateway: string, session: string) => `regatta.chat ${gateway} ${session}`;

export function keptText(gateway: string, session: string): string {
  try {
    return localStorage.getItem(keyOf(gateway, session)) ?? "";
  } catch {
    return "";
  }
}

export function keepText(gateway: string, session: string, text: string): void {
  try {
    if (text === "") localStorage.removeItem(keyOf(gateway, session));
    else localStorage.setItem(keyOf(gateway, session), text);
  } catch {
    // Storage can be denied or full; the text then lasts as long as the page.
  }
}
