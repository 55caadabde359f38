// The title of the window: the page's own, and how many questions wait for a person before it.
let page = "Regatta";
let waiting = 0;

/** How both stand together. Pure. */
export function titled(page: string, waiting: number): string {
  return waiting > 0 ? `(${waiting}) ${page}` : page;
}

export function setTitle(title: string): void {
  page = title;
  document.title = titled(page, waiting);
}

export function setWaiting(count: number): void {
  waiting = count;
  document.title = titled(page, waiting);
}
