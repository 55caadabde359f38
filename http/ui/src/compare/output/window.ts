// The part of one attempt's output that the page holds: read by pages from its end, going on live, never more than a
// bound however much was printed. Knows nothing of React.
import { getJson } from "@/api/client";
import type { Piece, PiecesPage } from "@/api/types";
import { type Line, LineReader } from "./lines";

/** Lines held per attempt; past it the far end is let go and read again when somebody goes there. */
export const LINES_MAX = 20_000;
/** Let go in bulk, so that the work stays small. */
const LINES_SLACK = 4_000;
const PAGE_PIECES = 1_000;
/** Read first: more than a screen of lines, and little enough that eight columns are there at once. */
const FIRST_PIECES = 200;
/** What is printed is told at most this often: about as often as a screen shows a picture. */
const TOLD_MS = 16;

export type Snapshot = {
  lines: readonly Line[];
  /** Changes with every change. */
  version: number;
  /** How many lines were put before the others, ever: keeps the place of whoever reads. */
  prepended: number;
  isStart: boolean;
  isEnd: boolean;
  isLoading: boolean;
  error: unknown;
};

/** Calls it once, soon. */
type Later = (tell: () => void) => void;

type Fetch = (params: Record<string, number | undefined>) => Promise<PiecesPage>;

export class OutputWindow {
  private pieces: Piece[] = [];
  private reader = new LineReader();
  private state: Snapshot = {
    lines: [],
    version: 0,
    prepended: 0,
    isStart: false,
    isEnd: true,
    isLoading: false,
    error: undefined,
  };
  private readonly listeners = new Set<() => void>();
  private early: Piece[] = [];
  private isLoaded = false;
  private loading: Promise<void> | undefined;

  private isTelling = false;

  constructor(
    private readonly fetch: Fetch,
    private readonly soon: Later = (tell) => tell(),
    /** Pieces come with words in them: what is told live is as it was printed, so it is read again. */
    private readonly hasWords = false,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Snapshot => this.state;

  /** Shows the end. */
  async toEnd(): Promise<void> {
    await this.load({ limit: FIRST_PIECES }, (page) => {
      this.replace(page.pieces);
      return { isStart: page.is_start, isEnd: true };
    });
    this.isLoaded = true;
    this.takeEarly();
  }

  /** Shows the beginning. */
  async toStart(): Promise<void> {
    await this.load({ limit: PAGE_PIECES, after: 0 }, (page) => {
      this.replace(page.pieces);
      return { isStart: true, isEnd: page.is_end };
    });
  }

  async earlier(): Promise<void> {
    const first = this.pieces[0]?.stream_seq;
    if (this.state.isStart || this.state.isLoading || first === undefined) return;
    await this.load({ limit: PAGE_PIECES, before: first }, (page) => {
      const before = this.reader.lines.length;
      this.reader.putBefore(page.pieces, this.pieces);
      this.pieces = [...page.pieces, ...this.pieces];
      const grown = this.reader.lines.length - before;
      const isCut = this.cutEnd();
      return {
        isStart: page.is_start,
        isEnd: this.state.isEnd && !isCut,
        prepended: this.state.prepended + grown,
      };
    });
  }

  async later(): Promise<void> {
    while (this.loading) await this.loading;
    if (this.state.isEnd) return;
    const last = this.pieces.at(-1)?.stream_seq ?? 0;
    await this.load({ limit: PAGE_PIECES, after: last }, (page) => {
      for (const piece of page.pieces) this.add(piece);
      const cut = this.cutStart();
      return { isEnd: page.is_end, isStart: this.state.isStart && cut === 0, prepended: this.state.prepended - cut };
    });
  }

  /** Something was printed just now. */
  take(piece: Piece): void {
    if (!this.isLoaded) {
      this.early.push(piece);
      return;
    }
    if (!this.state.isEnd) return;
    const next = (this.pieces.at(-1)?.stream_seq ?? 0) + 1;
    if (piece.stream_seq < next) return;
    if (piece.stream_seq > next || this.hasWords) {
      // Something was missed: it is read like a later page. What is printed meanwhile waits.
      this.isLoaded = false;
      this.early.push(piece);
      void this.catchUp();
      return;
    }
    this.add(piece);
    const cut = this.cutStart();
    this.set({ isStart: this.state.isStart && cut === 0, prepended: this.state.prepended - cut });
  }

  /** Reads what was printed since, for whoever is at the end. */
  async catchUp(): Promise<void> {
    while (this.loading) await this.loading;
    if (!this.state.isEnd) return;
    this.isLoaded = false;
    this.set({ isEnd: false });
    while (!this.state.isEnd && this.state.error === undefined) await this.later();
    this.isLoaded = true;
    this.takeEarly();
  }

  private takeEarly(): void {
    const early = this.early;
    this.early = [];
    for (const piece of early) this.take(piece);
  }

  private async load(params: Record<string, number>, use: (page: PiecesPage) => Partial<Snapshot>): Promise<void> {
    // One at a time: a page is asked for by what is held.
    while (this.loading) await this.loading;
    this.loading = this.loadNow(params, use).finally(() => {
      this.loading = undefined;
    });
    await this.loading;
  }

  private async loadNow(params: Record<string, number>, use: (page: PiecesPage) => Partial<Snapshot>): Promise<void> {
    this.set({ isLoading: true, error: undefined });
    try {
      this.set({ ...use(await this.fetch(params)), isLoading: false });
    } catch (error) {
      this.set({ isLoading: false, error });
    }
  }

  private add(piece: Piece): void {
    this.pieces.push(piece);
    this.reader.read(piece);
  }

  private replace(pieces: Piece[]): void {
    this.pieces = pieces;
    this.readAgain();
  }

  private readAgain(): void {
    this.reader = new LineReader();
    for (const piece of this.pieces) this.reader.read(piece);
  }

  /** Lets pieces at the front go; says how many lines that were. */
  private cutStart(): number {
    const lines = this.reader.lines.length;
    if (lines <= LINES_MAX + LINES_SLACK || this.pieces.length < 2) return 0;
    const share = LINES_MAX / lines;
    this.pieces = this.pieces.slice(Math.min(this.pieces.length - 1, Math.ceil(this.pieces.length * (1 - share))));
    this.readAgain();
    return lines - this.reader.lines.length;
  }

  private cutEnd(): boolean {
    const lines = this.reader.lines.length;
    if (lines <= LINES_MAX + LINES_SLACK || this.pieces.length < 2) return false;
    this.pieces = this.pieces.slice(0, Math.max(1, Math.floor(this.pieces.length * (LINES_MAX / lines))));
    this.readAgain();
    return true;
  }

  private set(change: Partial<Snapshot>): void {
    this.state = { ...this.state, ...change, lines: this.reader.lines, version: this.state.version + 1 };
    // Many pieces may come before anybody can see the first of them.
    if (this.isTelling) return;
    this.isTelling = true;
    this.soon(() => {
      this.isTelling = false;
      for (const listener of this.listeners) listener();
    });
  }
}

/** `inWords`: what agents that print JSON say is read as remarks. */
export function outputOf(attempt: string, asOf: string | undefined, inWords: boolean): OutputWindow {
  return new OutputWindow(
    (params) => getJson(`/attempts/${attempt}/pieces`, { ...params, as_of: asOf, words: inWords || undefined }),
    (tell) => setTimeout(tell, TOLD_MS),
    inWords,
  );
}
